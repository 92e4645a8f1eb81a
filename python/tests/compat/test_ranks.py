"""torchrun with gloo, two ranks with two workers each: who is given what."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import List

import pytest

from headrace._store import Store

pytest.importorskip("torch", reason="PyTorch is not installed")

SCRIPT = Path(__file__).resolve().parent / "shards.py"
COUNT = 21


def given(kind: str, prefix: str, sharding: str) -> List[List[str]]:
    """Keys by rank."""
    environment = dict(os.environ)
    environment["PYTHONPATH"] = os.pathsep.join([str(SCRIPT.parents[2]), environment.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(SCRIPT)]
    ran = subprocess.run(
        [*command, kind, prefix, sharding],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        timeout=600,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    return [[Path(key).name for _, key in rows] for rows in json.loads(ran.stdout.strip().splitlines()[-1])]


@pytest.fixture
def prefix(store: Store, bucket: str) -> str:
    store.put_many((f"s3://{bucket}/r/{i:02}", str(i).encode()) for i in range(COUNT))
    return f"s3://{bucket}/r/"


@pytest.mark.parametrize("kind", ["connector", "headrace"])
def test_with_sharding_each_object_comes_once(prefix: str, kind: str) -> None:
    ranks = given(kind, prefix, "sharded")
    assert sorted(key for keys in ranks for key in keys) == [f"{i:02}" for i in range(COUNT)]
    assert abs(len(ranks[0]) - len(ranks[1])) <= 2


@pytest.mark.parametrize("kind", ["connector", "headrace"])
def test_without_sharding_every_worker_of_every_rank_has_all(prefix: str, kind: str) -> None:
    expected = sorted(f"{i:02}" for i in range(COUNT) for _ in range(2))
    assert [sorted(keys) for keys in given(kind, prefix, "whole")] == [expected, expected]
