"""An S3 server of headrace's own, and a bucket in it for each test."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from typing import Iterator, Mapping

import pytest

from headrace._node import command
from headrace._store import Store


@pytest.fixture(scope="session")
def s3_server() -> Iterator[Mapping[str, str]]:
    """Variables of the environment that name a server and its keys: those that are set, or of one that is started."""
    named = os.environ.get("HEADRACE_TEST_S3")
    if named is not None:
        yield json.loads(named)
        return
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    process = subprocess.Popen(command("dev", "s3", "--port", "0", "--json"), stdout=subprocess.PIPE, env=environment)
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())["environment"]
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module", autouse=True)
def s3_environment(s3_server: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(s3_server)
    os.environ.pop("AWS_PROFILE", None)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def store(s3_environment: None) -> Iterator[Store]:
    made = Store()
    yield made
    made.close()


@pytest.fixture
def bucket(store: Store) -> Iterator[str]:
    name = f"test-{uuid.uuid4().hex[:12]}"
    store.create_container(f"s3://{name}")
    yield name
    store.remove(f"s3://{name}")
    store.delete_container(f"s3://{name}")
