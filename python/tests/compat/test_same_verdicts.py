"""One unmodified test file, on the real s3torchconnector and on ours: the same verdict for every test.

The real one is found by this Python, or by $HEADRACE_CONNECTOR, a folder that has it (and s3torchconnectorclient).
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Dict, Mapping

import pytest

from headrace._store import Store

pytest.importorskip("torch", reason="s3torchconnector needs PyTorch")

FILE = Path(__file__).resolve().parent.parent / "connector" / "test_connector.py"

#: A module of the connector's name that is ours: also for processes that begin anew.
_OURS = """
import sys
import headrace.compat.s3torchconnector as ours
import headrace.compat.s3torchconnector._s3client, headrace.compat.s3torchconnector.s3reader
for name, module in list(sys.modules.items()):
    if name.startswith(ours.__name__):
        sys.modules["s3torchconnector" + name[len(ours.__name__):]] = module
"""


def verdicts(store: Store, name: str, tmp_path: Path, s3: Mapping[str, str], folder: str) -> Dict[str, str]:
    """Of each test, with the connector that lies in the folder."""
    bucket = f"same-verdicts-{name}-{os.getpid()}"
    store.create_container(f"s3://{bucket}")
    paths = [folder, str(Path(__file__).resolve().parents[2])]
    environment = {
        **os.environ,
        **s3,
        "CONNECTOR_ENDPOINT": s3["AWS_ENDPOINT_URL"],
        "CONNECTOR_BUCKET": bucket,
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
    }
    report = tmp_path / f"{name}.xml"
    command = [sys.executable, "-m", "pytest", "-q", str(FILE), f"--junitxml={report}"]
    command += ["-p", "no:cacheprovider", "--noconftest"]
    try:
        ran = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    finally:
        store.remove(f"s3://{bucket}")
        store.delete_container(f"s3://{bucket}")
    assert report.exists(), ran.stdout
    found = {}
    for case in ET.parse(report).getroot().iter("testcase"):
        outcome = "failed" if case.find("failure") is not None or case.find("error") is not None else "passed"
        found[f"{case.get('classname', '').rsplit('.', 1)[-1]}::{case.get('name')}"] = (
            "skipped" if case.find("skipped") is not None else outcome
        )
    (tmp_path / f"{name}.log").write_text(ran.stdout)
    return found


def test_the_file_passes_on_ours_as_on_the_real_one(
    store: Store, tmp_path: Path, s3_server: Mapping[str, str]
) -> None:
    package = tmp_path / "s3torchconnector"
    package.mkdir()
    (package / "__init__.py").write_text(_OURS)
    ours = verdicts(store, "ours", tmp_path, s3_server, str(tmp_path))
    assert len(ours) > 100
    failed = [name for name, verdict in ours.items() if verdict != "passed"]
    assert failed == [], (tmp_path / "ours.log").read_text()[-5000:]
    folder = os.environ.get("HEADRACE_CONNECTOR", "")
    if not folder and importlib.util.find_spec("s3torchconnector") is None:
        pytest.skip("ours passed; s3torchconnector is not installed, so there is nothing to compare it with")
    real = verdicts(store, "real", tmp_path, s3_server, folder)
    assert {name: (verdict, ours.get(name)) for name, verdict in real.items() if verdict != ours.get(name)} == {}
    assert set(real) == set(ours)
