"""Distributed checkpoints of PyTorch as objects."""

from __future__ import annotations

import pytest

from headrace._store import Store

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

import torch.distributed.checkpoint as dcp  # noqa: E402

from headrace.compat.s3torchconnector import S3ReaderConstructor  # noqa: E402
from headrace.compat.s3torchconnector.dcp import (  # noqa: E402
    BinaryPrefixStrategy,
    HexPrefixStrategy,
    RoundRobinPrefixStrategy,
    S3StorageReader,
    S3StorageWriter,
)
from headrace.compat.s3torchconnector.s3reader import DCPOptimizedS3Reader, ItemRange  # noqa: E402


def state(fill: bool) -> "dict[str, object]":
    made = {f"layer{i}": torch.arange(50_000, dtype=torch.float32) + i for i in range(6)}
    return made if fill else {name: torch.zeros_like(value) for name, value in made.items()}


@pytest.mark.parametrize("constructor", ["dcp_optimized", "sequential", "range_based"])
def test_saved_and_loaded(store: Store, bucket: str, constructor: str) -> None:
    path = f"s3://{bucket}/checkpoint/1/"
    dcp.save(state(True), storage_writer=S3StorageWriter("us-east-1", path), no_dist=True)
    keys = [entry.key for entry in store.list(path)]  # type: ignore[union-attr]
    assert keys == ["checkpoint/1/.metadata", "checkpoint/1/__0_0.distcp"]
    found = state(False)
    reader = S3StorageReader("us-east-1", path, reader_constructor=getattr(S3ReaderConstructor, constructor)())
    dcp.load(found, storage_reader=reader, no_dist=True)
    assert all(torch.equal(found[name], value) for name, value in state(True).items())


def test_a_part_of_a_checkpoint_is_loaded_alone(bucket: str) -> None:
    path = f"s3://{bucket}/checkpoint/2/"
    dcp.save(state(True), storage_writer=S3StorageWriter("us-east-1", path), no_dist=True)
    found = {"layer4": torch.zeros(50_000)}
    dcp.load(found, storage_reader=S3StorageReader("us-east-1", path), no_dist=True)
    assert torch.equal(found["layer4"], state(True)["layer4"])


def test_prefixes() -> None:
    binary = BinaryPrefixStrategy(min_prefix_length=3, prefix_count=4)
    assert [binary(rank) for rank in range(5)] == ["000/__0_", "100/__1_", "010/__2_", "110/__3_", "000/__4_"]
    assert HexPrefixStrategy(epoch_num=7, min_prefix_length=2, prefix_count=20)(18) == "21/epoch_7/__18_"
    assert [RoundRobinPrefixStrategy(["a", "b"])(rank) for rank in range(3)] == ["a/__0_", "b/__1_", "a/__2_"]
    with pytest.raises(ValueError, match="0"):
        BinaryPrefixStrategy(min_prefix_length=0)


CONTENT = bytes(range(256)) * 4


class Streams:
    def __init__(self) -> None:
        self.asked: "list[tuple[int, int]]" = []

    def __call__(self, start: int = 0, end: int = 0) -> "object":
        self.asked.append((start, end))
        return iter([CONTENT[at : min(at + 100, end)] for at in range(start, end, 100)])


def reader(ranges: "list[tuple[int, int]]", gap: int) -> "tuple[DCPOptimizedS3Reader, Streams]":
    streams = Streams()
    items = [ItemRange(*each) for each in ranges]
    return DCPOptimizedS3Reader("b", "k", items, lambda: None, streams, gap), streams  # type: ignore[arg-type]


def test_near_ranges_come_in_one_request() -> None:
    made, streams = reader([(10, 150), (160, 400), (800, 900)], 50)
    made.seek(10)
    assert made.read(140) == CONTENT[10:150]
    made.seek(160)
    assert made.read(100) == CONTENT[160:260]
    made.seek(-50, 1)
    room = bytearray(190)
    assert made.readinto(room) == 190
    assert room == CONTENT[210:400]
    made.seek(800)
    assert made.read(100) == CONTENT[800:900]
    assert streams.asked == [(10, 400), (800, 900)]


def test_only_the_ranges_can_be_read_one_after_the_other() -> None:
    made, _ = reader([(10, 20), (30, 40)], 0)
    made.seek(30)
    with pytest.raises(ValueError, match="30-35"):
        made.read(5)
    made.seek(10)
    assert made.read(10) == CONTENT[10:20]
    made.seek(35)
    assert made.read(5) == CONTENT[35:40]
    made.seek(10)
    with pytest.raises(ValueError, match="10-11"):
        made.read(1)
    with pytest.raises(ValueError, match="size"):
        made.read()


@pytest.mark.parametrize("ranges, word", [([(5, 3)], "Invalid"), ([(5, 9), (1, 2)], "Unsorted"), ([(5, 9), (8, 12)], "Overlapping")])
def test_ranges_that_are_none(ranges: "list[tuple[int, int]]", word: str) -> None:
    with pytest.raises(ValueError, match=word):
        reader(ranges, 0)
