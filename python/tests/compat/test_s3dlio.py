"""The functions and classes of s3dlio, by its names."""

from __future__ import annotations

import asyncio
import io
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import headrace.compat.s3dlio as s3dlio
from headrace.compat.s3dlio import _pymod


@pytest.fixture
def base(bucket: str) -> str:
    return f"s3://{bucket}/"


@pytest.fixture
def tree(base: str) -> str:
    s3dlio.put_many([(base + key, key.encode()) for key in ("d/a.txt", "d/b.bin", "d/e/f", "d2/x", "top")])
    return base


def test_bytes(base: str) -> None:
    s3dlio.put_bytes(base + "a", b"hello world")
    view = s3dlio.get(base + "a")
    assert bytes(view) == b"hello world"
    assert (view.memoryview()[:5], view.to_bytes(), len(view)) == (b"hello", b"hello world", 11)
    assert np.frombuffer(view, dtype=np.uint8)[0] == ord("h")
    assert bytes(s3dlio.get_range(base + "a", 6, 3)) == b"wor"
    assert bytes(s3dlio.get_range(base + "a", 6)) == b"world"
    assert bytes(s3dlio.get_range(base + "a", 8, 100)) == b"rld"
    assert bytes(s3dlio.get_range(base + "a", 100, 5)) == b""
    assert s3dlio.get_object(base + "a") == view


def test_many(tree: str) -> None:
    uris = [tree + "d/b.bin", tree + "d/a.txt"]
    assert [(uri, bytes(data)) for uri, data in s3dlio.get_many(uris)] == [(uris[0], b"d/b.bin"), (uris[1], b"d/a.txt")]
    assert s3dlio.get_many_stats(uris, max_in_flight=1) == (2, 14)


def test_what_is_not_there(base: str) -> None:
    assert not s3dlio.exists(base + "none")
    with pytest.raises(RuntimeError) as error:
        s3dlio.get(base + "none")
    assert isinstance(error.value, s3dlio.ObjectNotFoundError)
    with pytest.raises(s3dlio.ObjectNotFoundError):
        s3dlio.stat(base + "none")
    with pytest.raises(s3dlio.ObjectNotFoundError):
        s3dlio.get_many([base + "none"])
    s3dlio.delete(base + "none")
    s3dlio.delete(base + "none/", recursive=True)


def test_stat(tree: str) -> None:
    found = s3dlio.stat(tree + "d/a.txt")
    assert found["size"] == 7
    assert found["etag"] and found["last_modified"]
    assert s3dlio.exists(tree + "d/a.txt")
    assert s3dlio.stat_object(tree + "d/a.txt") == found


@pytest.mark.parametrize(
    "key, recursive, expected",
    [
        ("", False, ["d/", "d2/", "top"]),
        ("", True, ["d/a.txt", "d/b.bin", "d/e/f", "d2/x", "top"]),
        ("d/", False, ["d/a.txt", "d/b.bin", "d/e/"]),
        ("d/", True, ["d/a.txt", "d/b.bin", "d/e/f"]),
        ("top", False, ["top"]),
        ("to", False, []),
        ("d", False, ["d/"]),
        ("d", True, ["d/a.txt", "d/b.bin", "d/e/f"]),
        ("d*", False, []),
        ("d/*", False, ["d/a.txt", "d/b.bin"]),
        ("d/*", True, ["d/a.txt", "d/b.bin"]),
        ("d/*.txt", False, ["d/a.txt"]),
        ("d**", True, ["d/a.txt", "d/b.bin", "d/e/f", "d2/x"]),
        ("none/", True, []),
    ],
)
def test_list(tree: str, key: str, recursive: bool, expected: list[str]) -> None:
    assert s3dlio.list(tree + key, recursive) == [tree + name for name in expected]


def test_list_with_a_pattern(tree: str) -> None:
    assert s3dlio.list(tree + "d/", recursive=True, pattern=r"\.txt$") == [tree + "d/a.txt"]
    assert s3dlio.list_keys(tree + "d/") == ["a.txt", "b.bin", "e/"]


def test_recursive_delete(tree: str) -> None:
    _pymod.delete(tree + "d/", recursive=True)
    assert s3dlio.list(tree, recursive=True) == [tree + "d2/x", tree + "top"]
    s3dlio.delete(tree + "d2**", recursive=True)
    assert s3dlio.list(tree, recursive=True) == [tree + "top"]


def test_put_makes_objects_of_a_size(base: str) -> None:
    s3dlio.put(base + "gen/", 3, size=5000, object_type="random")
    names = [base + f"gen/object-{i}" for i in range(3)]
    assert s3dlio.list(base + "gen/") == names
    contents = {bytes(s3dlio.get(name)) for name in names}
    assert len(contents) == 3
    assert {len(data) for data in contents} == {5000}
    s3dlio.put(base + "zeros", 1, "z.bin", size=10)
    assert bytes(s3dlio.get(base + "zeros/z.bin")) == bytes(10)
    s3dlio.put(base + "npz", 1, "{}.npz", size=400, object_type="npz")
    assert s3dlio.read_npz(base + "npz/0.npz").shape == (100,)
    with pytest.raises(ValueError, match="hdf6"):
        s3dlio.put(base, 1, object_type="hdf6")
    with pytest.raises(ValueError, match="template"):
        s3dlio.put(base, 2, "same", size=1)


def test_upload_and_download(base: str, tmp_path: Path) -> None:
    (tmp_path / "from").mkdir()
    (tmp_path / "from" / "a.txt").write_text("1")
    (tmp_path / "from" / "b.txt").write_text("22")
    s3dlio.upload([str(tmp_path / "from" / "*.txt")], base + "up/")
    assert s3dlio.list(base + "up/") == [base + "up/a.txt", base + "up/b.txt"]
    s3dlio.put_bytes(base + "up/sub/a.txt", b"333")
    s3dlio.download(base + "up/", str(tmp_path / "to"))
    found = sorted(str(path.relative_to(tmp_path / "to")) for path in (tmp_path / "to").rglob("*") if path.is_file())
    # Two objects of one name stay apart.
    assert found == ["a.txt", "b.txt", "sub/a.txt"]
    assert (tmp_path / "to" / "sub" / "a.txt").read_text() == "333"
    s3dlio.download(base + "up/b.txt", str(tmp_path / "one"))
    assert (tmp_path / "one" / "b.txt").read_text() == "22"
    with pytest.raises(RuntimeError, match="nothing"):
        s3dlio.upload([str(tmp_path / "nothing*")], base)


def test_buckets(bucket: str) -> None:
    assert {"name": bucket, "uri": f"s3://{bucket}"}.items() <= {
        name: value
        for each in s3dlio.list_containers("s3://")
        for name, value in each.items()
        if each["name"] == bucket
    }.items()
    s3dlio.create_bucket(bucket)
    s3dlio.create_bucket(f"{bucket}-b")
    s3dlio.delete_bucket(f"{bucket}-b")
    assert f"{bucket}-b" not in [each["name"] for each in s3dlio.list_containers("s3://")]


def test_files(tmp_path: Path) -> None:
    base = f"file://{tmp_path}/"
    s3dlio.put_bytes(base + "a/b", b"q")
    assert s3dlio.list(base) == [base + "a/"]
    assert s3dlio.list(base, recursive=True) == [base + "a/b"]
    assert bytes(s3dlio.get(base + "a/b")) == b"q"
    s3dlio.mkdir(base + "m/n")
    assert (tmp_path / "m" / "n").is_dir()
    with pytest.raises(s3dlio.ObjectNotFoundError):
        s3dlio.get(base + "none")


def test_a_server_in_the_uri(bucket: str) -> None:
    server = os.environ["AWS_ENDPOINT_URL"].partition("://")[2]
    s3dlio.put_bytes(f"s3://{server}/{bucket}/x/y", b"there")
    assert bytes(s3dlio.get(f"s3://{bucket}/x/y")) == b"there"
    assert s3dlio.list(f"s3://{server}/{bucket}/x/") == [f"s3://{server}/{bucket}/x/y"]
    assert s3dlio.parse_s3_uri_full(f"s3://{server}/b/k/l") == {"endpoint": server, "bucket": "b", "key": "k/l"}
    assert s3dlio.parse_s3_uri_full("s3://b/k/l") == {"endpoint": None, "bucket": "b", "key": "k/l"}


def test_asynchronous_calls(tree: str) -> None:
    async def calls() -> Any:
        await s3dlio.put_bytes_async(tree + "async", b"later")
        room = bytearray(8)
        count = await s3dlio.get_into_async(tree + "async", room, expected_len=5)
        with pytest.raises(s3dlio.LengthMismatchError):
            await s3dlio.get_into_async(tree + "async", room, expected_len=6)
        found = await asyncio.gather(*(s3dlio.get_async(tree + key) for key in ("top", "async")))
        stats = await s3dlio.stat_many_async([tree + "top", tree + "async"])
        return count, bytes(room[:count]), [bytes(each) for each in found], [each["size"] for each in stats]

    assert asyncio.run(calls()) == (5, b"later", [b"top", b"later"], [3, 5])


def test_generated_data() -> None:
    first, second = s3dlio.generate_data(10_000), s3dlio.generate_data(10_000)
    assert len(first) == len(second) == 10_000
    assert bytes(first) != bytes(second)
    room = bytearray(1000)
    assert s3dlio.generate_into_buffer(room) == 1000
    assert room != bytes(1000)


def test_compressible_data_is_as_compressible_as_asked_for() -> None:
    import zlib

    data = bytes(s3dlio.generate_data(1 << 20, compress=4))
    ratio = len(data) / len(zlib.compress(data, 6))
    assert 3.2 < ratio < 4.8


def test_a_generator_gives_the_same_bytes_in_any_pieces() -> None:
    whole = bytearray(1000)
    assert s3dlio.Generator(1000, seed=4).fill_chunk(whole) == 1000
    pieces = s3dlio.Generator(1000, seed=4, chunk_size=300)
    found, room = b"", bytearray(pieces.chunk_size)
    while count := pieces.fill_chunk(room):
        found += room[:count]
    assert found == whole
    assert pieces.is_complete()
    pieces.reset()
    assert not pieces.is_complete()


def test_multipart_upload(base: str) -> None:
    data = os.urandom(12 << 20)
    with s3dlio.MultipartUploadWriter.from_uri(base + "mpu", part_size=5 << 20) as writer:
        writer.write(data[: 11 << 20])
        room = writer.reserve(2 << 20)
        room[: 1 << 20] = data[11 << 20 :]
        writer.commit(1 << 20)
        done = writer.close()
    assert (done["total_bytes"], done["parts"]) == (12 << 20, 3)
    assert done["etag"] and done["completed_at"] >= done["started_at"]
    assert bytes(s3dlio.get(base + "mpu")) == data
    with pytest.raises(RuntimeError, match="closed"):
        writer.write(b"x")


def test_an_upload_that_fails_leaves_nothing(base: str) -> None:
    with pytest.raises(KeyError):
        with s3dlio.MultipartUploadWriter.from_uri(base + "mpu") as writer:
            writer.write(b"x")
            raise KeyError
    writer = s3dlio.MultipartUploadWriter.from_uri(base + "mpu")
    writer.abort()
    assert not s3dlio.exists(base + "mpu")
    with pytest.raises(ValueError, match="part_size"):
        s3dlio.MultipartUploadWriter.from_uri(base + "mpu", part_size=1000)


def test_object_writers(base: str) -> None:
    writer = s3dlio.create_s3_writer(base + "w", s3dlio.PyWriterOptions().with_buffer_size(10))
    writer.write_chunk(b"123")
    writer.write_owned_bytes(b"4567890123")
    assert writer.bytes_written() == 13
    assert writer.finalize() == (13, 13)
    assert bytes(s3dlio.get(base + "w")) == b"1234567890123"
    with pytest.raises(s3dlio.UnsupportedOperationError):
        s3dlio.PyWriterOptions().with_compression("zstd", 3)


def test_loaders_keep_what_they_gave(tree: str) -> None:
    loader = s3dlio.create_async_loader(tree + "d/", {"batch_size": 2})
    assert [bytes(data) for data in list(loader)] == [b"d/a.txt", b"d/b.bin", b"d/e/f"]
    items = list(loader.items())
    assert [(item.uri, item.byte_count, bytes(item.data)) for item in items] == [
        (tree + "d/a.txt", 7, b"d/a.txt"),
        (tree + "d/b.bin", 7, b"d/b.bin"),
        (tree + "d/e/f", 5, b"d/e/f"),
    ]
    some = loader.items()
    assert [len(some.collect_batch(2)) for _ in range(3)] == [2, 1, 0]


def test_batches_of_an_event_loop(tree: str) -> None:
    async def batches() -> list[list[bytes]]:
        return [[bytes(data) for data in batch] async for batch in s3dlio.create_async_loader(tree, {"batch_size": 2})]

    assert asyncio.run(batches()) == [[b"d/a.txt", b"d/b.bin"], [b"d/e/f", b"d2/x"], [b"top"]]


def test_loader_options_do_what_they_say(base: str) -> None:
    s3dlio.put_many([(f"{base}o/{i:03}", b"%d" % i) for i in range(40)])
    options = s3dlio.PyLoaderOptions().with_batch_size(8).shuffle(True, 42)
    first = [bytes(data) for data in s3dlio.create_async_loader(base + "o/", options)]
    assert sorted(first) == sorted(b"%d" % i for i in range(40))
    assert first != [b"%d" % i for i in range(40)]
    assert [bytes(data) for data in s3dlio.create_async_loader(base + "o/", options)] == first
    other = [bytes(data) for data in s3dlio.create_async_loader(base + "o/", options.shuffle(True, 43))]
    assert other != first
    shards = [
        [bytes(data) for data in s3dlio.create_async_loader(base + "o/", options.shard(rank, 2))] for rank in range(2)
    ]
    assert sorted(shards[0] + shards[1]) == sorted(first)
    assert len(list(s3dlio.create_async_loader(base + "o/", {"batch_size": 30, "drop_last": True}))) == 30


def test_datasets(tree: str) -> None:
    found = s3dlio.PyDataset(tree + "d/")
    assert (len(found), found.uris()[0], found.keys()[0]) == (3, tree + "d/a.txt", "d/a.txt")

    async def one() -> bytes:
        return bytes(await found.get_item(1))

    assert asyncio.run(one()) == b"d/b.bin"
    named = s3dlio.PyDataset.from_uris([tree + "top", tree + "d2/x"])
    loader = s3dlio.PyBytesAsyncDataLoader(named, {"batch_size": 2})
    assert [bytes(data) for data in loader] == [b"top", b"d2/x"]


def test_configure_s3(base: str, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    s3dlio.put_bytes(base + "a", b"1")
    endpoint = os.environ["AWS_ENDPOINT_URL"]
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    s3dlio.configure_s3(endpoint_url=endpoint)
    try:
        assert bytes(s3dlio.get(base + "a")) == b"1"
    finally:
        s3dlio.configure_s3()


def test_tfrecord_index(tmp_path: Path) -> None:
    records = [b"one", b"three and more"]
    data = b"".join(struct.pack("<Q", len(each)) + b"CRC4" + each + b"CRC4" for each in records)
    path = tmp_path / "r.tfrecord"
    path.write_bytes(data)
    assert s3dlio.create_tfrecord_index(str(path)) == 2
    entries = [(0, 19), (19, 30)]
    assert s3dlio.read_tfrecord_index(str(path) + ".idx") == entries
    assert s3dlio.get_tfrecord_index_entries(data) == entries
    assert s3dlio.index_tfrecord_bytes(data) == "0 19\n19 30\n"
    with pytest.raises(ValueError, match="byte 19"):
        s3dlio.get_tfrecord_index_entries(data[:-1])


def test_npz(base: str) -> None:
    out = io.BytesIO()
    np.savez(out, first=np.arange(6, dtype=np.int64).reshape(2, 3), other=np.ones(2))
    s3dlio.put_bytes(base + "a.npz", out.getvalue())
    found = s3dlio.read_npz(base + "a.npz")
    assert (found.dtype, found.tolist()) == (np.float32, [[0, 1, 2], [3, 4, 5]])
    assert s3dlio.read_npz(base + "a.npz", "other").tolist() == [1, 1]
    with pytest.raises(RuntimeError, match="first, other"):
        s3dlio.read_npz(base + "a.npz", "none")


def test_torch_names(tree: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from headrace.compat.s3dlio.torch import S3IterableDataset, S3MapDataset

    tensors = list(S3IterableDataset.from_prefix(tree + "d/"))
    assert [bytes(each.numpy()) for each in tensors] == [b"d/a.txt", b"d/b.bin", b"d/e/f"]
    assert {(each.dtype, each.dim()) for each in tensors} == {(torch.uint8, 1)}
    readers = list(S3IterableDataset.from_prefix(tree + "d/", return_type="reader"))
    assert [each.read() for each in readers] == [b"d/a.txt", b"d/b.bin", b"d/e/f"]
    assert len(S3MapDataset.from_prefix(tree + "d/")) == 3
    assert s3dlio.S3MapDataset is S3MapDataset


def test_jax_tf_names(tree: str) -> None:
    from headrace.compat.s3dlio.jax_tf import S3JaxIterable

    arrays = list(S3JaxIterable.from_prefix(tree + "d/", prefetch=4, transform=lambda array: array[:3]))
    assert [bytes(each) for each in arrays] == [b"d/a", b"d/b", b"d/e"]
    writable = next(iter(S3JaxIterable.from_prefix(tree + "d/", writable=True)))
    writable[0] = 0


def test_tf_dataset(tree: str) -> None:
    tensorflow = pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    made = s3dlio.make_tf_dataset(tree + "d/", map_fn=tensorflow.size)
    assert [int(each) for each in made] == [7, 7, 5]
