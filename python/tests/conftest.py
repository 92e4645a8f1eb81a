"""What tests of several files use: folders of objects, an S3 server, an image cache. All of it is real."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Iterator

import pytest

from object_set import OBJECTS
from places import PHOTOS

#: Runs under two names: see compat/test_same_verdicts.py.
collect_ignore = ["connector"]

HERE = Path(__file__).resolve().parent
if os.environ.get("HEADRACE_INSTALLED") is None:
    # The package of this clone, whatever is installed.
    sys.path.insert(0, str(HERE.parent))
    os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH")])])


@pytest.fixture(scope="session")
def objects_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("objects")
    for key, data in OBJECTS.items():
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return str(folder)


@pytest.fixture(scope="session")
def photos_cache(tmp_path_factory: pytest.TempPathFactory) -> str:
    """24 photographs of two classes."""
    import headrace

    folder = tmp_path_factory.mktemp("cache")
    source = folder / "photos"
    for name in sorted(os.listdir(PHOTOS)):
        if (PHOTOS / name).is_dir():
            shutil.copytree(PHOTOS / name, source / name)
    headrace.build_image_cache(source, folder / "photos.cache", short_side=256)
    return str(folder / "photos.cache")


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of an empty bucket on a server of its own; credentials are in the environment."""
    from headrace._node import command
    from headrace._store import Store

    server = subprocess.Popen(
        command("dev", "s3", "--port", "0", "--json"), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    try:
        assert server.stdout is not None
        for name, value in json.loads(server.stdout.readline())["environment"].items():
            monkeypatch.setenv(name, value)
        with_store = Store()
        with_store.create_container("s3://bucket")
        with_store.close()
        yield "s3://bucket"
    finally:
        server.terminate()
        server.wait()


@pytest.fixture
def s3_objects(s3: str) -> str:
    """The URL of a prefix with OBJECTS below it, beside others that are not."""
    from headrace._store import Store

    store = Store()
    store.put_many([(f"{s3}/set/{key}", data) for key, data in OBJECTS.items()])
    store.put(f"{s3}/settled.bin", b"beside it")
    store.close()
    return f"{s3}/set"
