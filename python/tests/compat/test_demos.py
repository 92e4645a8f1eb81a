"""The commands of the test guide, with another path of the script and another bucket."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the demos need PyTorch")

DEMOS = Path(__file__).resolve().parents[2] / "demos"
ITEMS = r"\[{name}\] items={items} bytes={bytes} \({mib} MiB\) time=[0-9.]+s -> [0-9.]+ it/s, [0-9.]+ MiB/s"


def run(script: str, *arguments: str, code: int = 0) -> str:
    ran = subprocess.run(
        [sys.executable, str(DEMOS / script), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
        timeout=600,
    )
    assert ran.returncode == code, f"{ran.stdout}\n{ran.stderr}"
    return ran.stdout


def items(name: str, count: int, size: int) -> "re.Pattern[str]":
    total = count * size
    mib = re.escape(f"{total / (1 << 20):.2f}")
    return re.compile(ITEMS.format(name=re.escape(name), items=count, bytes=total, mib=mib))


@pytest.fixture
def prefix(bucket: str) -> str:
    prefix = f"s3://{bucket}/s3dlio-test/torch"
    said = run("torch_stage0_demo.py", "--prefix", prefix, "--setup", "64", "--size", "4096", "--jobs", "16")
    assert said == f"[setup] wrote 64 objects of 4096 bytes below {prefix}/\n"
    return prefix


def test_pytorch(prefix: str) -> None:
    iterable = ("--prefix", prefix, "--iterable", "--batch-size", "4")
    sequential = run("torch_stage0_demo.py", *iterable, "--reader", "sequential", "--prefetch", "16", "--take", "64")
    assert items("iterable", 64, 4096).search(sequential)
    ranges = run(
        "torch_stage0_demo.py", *iterable, "--reader", "range", "--part-size", "1024", "--inflight", "8",
        "--prefetch", "32", "--take", "20",
    )  # fmt: skip
    assert items("iterable", 20, 4096).search(ranges)
    by_number = run("torch_stage0_demo.py", "--prefix", prefix, "--map", "--batch-size", "8", "--shuffle", "--take", "64")
    assert items("map", 64, 4096).search(by_number)
    shards = run(
        "torch_stage0_demo.py", "--prefix", prefix, "--iterable", "--enable-sharding", "--reader", "sequential",
        "--batch-size", "1", "--num-workers", "4",
    )  # fmt: skip
    assert items("iterable", 64, 4096).search(shards)


def test_self_test(prefix: str) -> None:
    said = run("torch_stage0_demo.py", "--prefix", prefix, "--selftest", "--reader", "sequential", "--take", "32")
    assert said.splitlines() == [
        "[PASS] tensor: torch.uint8, 1-D, 4096 bytes (32 items)",
        "[PASS] bytes:  bytes, 4096 bytes (32 items)",
        "[PASS] reader: read() gives bytes, 4096 of them (32 items)",
        "[selftest] OK",
    ]


def test_nothing_there(bucket: str) -> None:
    run("torch_stage0_demo.py", "--prefix", f"s3://{bucket}/none", "--iterable", code=1)


@pytest.mark.parametrize("return_type", ["tensor", "bytes", "reader"])
def test_parity_suite(prefix: str, return_type: str) -> None:
    said = run(
        "compare_parity_suite.py", "--prefix", prefix, "--region", "us-east-1", "--return-type", return_type,
        "--reader", "sequential", "--batch-size", "4", "--prefetch", "16", "--take", "48", "--integrity", "--semantics",
    )  # fmt: skip
    assert items("aws", 48, 4096).search(said)
    assert items(f"headrace {return_type}", 48, 4096).search(said)
    assert f"[integrity] PASS {return_type}: 48 of 48 SHA-256 alike" in said
    assert "[semantics] PASS aws: ok=48/48" in said
    assert "[semantics] PASS headrace: ok=48/48" in said


def test_large_objects_by_ranges(bucket: str) -> None:
    prefix = f"s3://{bucket}/s3dlio-test/big"
    run("torch_stage0_demo.py", "--prefix", prefix, "--setup", "6", "--size", str(16 << 20))
    said = run(
        "compare_parity_suite.py", "--prefix", prefix, "--region", "us-east-1", "--return-type", "reader", "--reader",
        "range", "--inflight", "8", "--prefetch", "2", "--batch-size", "2", "--take", "4", "--integrity",
    )  # fmt: skip
    assert "[integrity] PASS reader: 4 of 4 SHA-256 alike" in said


def test_throughput_comparison(prefix: str) -> None:
    said = run(
        "compare_aws_s3dlio_loaders.py", "--prefix", prefix, "--region", "us-east-1", "--reader", "sequential",
        "--prefetch", "16", "--batch-size", "4", "--take", "64",
    )  # fmt: skip
    assert items("aws", 64, 4096).search(said)
    assert items("headrace", 64, 4096).search(said)
    assert re.search(r"\[ratio\] headrace/aws = [0-9.]+x", said)


def test_tensorflow(prefix: str) -> None:
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    said = run(
        "jax_tf_stage0_demo.py", "--prefix", prefix, "--tf", "--reader", "range", "--prefetch", "16", "--batch-size",
        "4", "--take", "32",
    )  # fmt: skip
    assert items("tf", 32, 4096).search(said)


def test_jax(prefix: str) -> None:
    pytest.importorskip("jax", reason="JAX is not installed")
    said = run("jax_tf_stage0_demo.py", "--prefix", prefix, "--jax", "--reader", "sequential", "--take", "16")
    assert items("jax", 16, 4096).search(said)


def test_the_guides_clean_up(prefix: str) -> None:
    import headrace.compat.s3dlio as s3dlio
    from headrace.compat.s3dlio import _pymod as _core

    assert s3dlio.list(prefix + "/") != []
    _core.delete(prefix[: -len("torch")], recursive=True)
    assert s3dlio.list(prefix + "/") == []


def test_two_ranks_with_two_workers_each(prefix: str) -> None:
    said = subprocess.run(
        [
            sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
            str(DEMOS / "torch_stage0_demo.py"), "--prefix", prefix, "--iterable", "--enable-sharding",
            "--num-workers", "2", "--batch-size", "4",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        timeout=600,
    )  # fmt: skip
    assert said.returncode == 0, said.stderr[-3000:]
    for rank in range(2):
        assert items(f"iterable rank={rank}", 32, 4096).search(said.stdout)
