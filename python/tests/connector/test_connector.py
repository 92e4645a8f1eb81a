"""What programs expect of s3torchconnector. This file runs on it and on headrace, unmodified: see test_same_verdicts.py.

CONNECTOR_ENDPOINT and CONNECTOR_BUCKET name a server and an empty bucket.
"""

import io
import os
import pickle
from functools import partial

import pytest
import torch
from s3torchconnector import (
    S3Checkpoint,
    S3ClientConfig,
    S3Exception,
    S3IterableDataset,
    S3MapDataset,
    S3Reader,
    S3ReaderConstructor,
    S3Writer,
)
from s3torchconnector._s3client import S3Client
from torch.utils.data import DataLoader

REGION = "us-east-1"
ENDPOINT = os.environ["CONNECTOR_ENDPOINT"]
BUCKET = os.environ["CONNECTOR_BUCKET"]
CONFIG = S3ClientConfig(force_path_style=True)
MIB = 1 << 20


def uri(key):
    return f"s3://{BUCKET}/{key}"


def content(number):
    return (f"object {number} ".encode() * 200)[: 1000 + number]


@pytest.fixture(scope="module")
def checkpoint():
    return S3Checkpoint(REGION, endpoint=ENDPOINT, s3client_config=CONFIG)


@pytest.fixture(scope="module")
def client():
    return S3Client(REGION, endpoint=ENDPOINT, s3client_config=CONFIG)


@pytest.fixture(scope="module")
def large():
    """More than two parts."""
    return bytes(bytearray(os.urandom(1024)) * (20 * 1024))


@pytest.fixture(scope="module", autouse=True)
def seeded(checkpoint, large):
    for number in range(12):
        with checkpoint.writer(uri(f"data/{number:02}")) as writer:
            writer.write(content(number))
    with checkpoint.writer(uri("other/large")) as writer:
        for at in range(0, len(large), 3 * MIB):
            writer.write(large[at : at + 3 * MIB])
    with checkpoint.writer(uri("data/sub/dir/x")) as writer:
        writer.write(b"deep")


KEYS = [f"data/{number:02}" for number in range(12)] + ["data/sub/dir/x"]
CONSTRUCTORS = {
    "default": None,
    "sequential": S3ReaderConstructor.sequential(),
    "range_based": S3ReaderConstructor.range_based(),
    "unbuffered": S3ReaderConstructor.range_based(buffer_size=0),
    "small_buffer": S3ReaderConstructor.range_based(buffer_size=100),
}


def read_all(reader):
    return reader.key, reader.read()


def dataset(kind, **options):
    options = {"region": REGION, "endpoint": ENDPOINT, "s3client_config": CONFIG, **options}
    return kind.from_prefix(uri("data/"), **options)


class TestIterable:
    def test_all_objects_in_the_order_of_their_keys(self):
        assert [reader.key for reader in dataset(S3IterableDataset)] == KEYS

    def test_can_be_iterated_again(self):
        found = dataset(S3IterableDataset, transform=read_all)
        assert list(found) == list(found)

    def test_readers_are_files(self):
        reader = next(iter(dataset(S3IterableDataset)))
        assert isinstance(reader, S3Reader)
        assert isinstance(reader, io.BufferedIOBase)
        assert reader.bucket == BUCKET
        assert reader.readable() and reader.seekable() and not reader.writable()

    def test_kept_readers_can_be_read_later(self):
        readers = list(dataset(S3IterableDataset))
        assert [reader.read() for reader in readers[:12]] == [content(number) for number in range(12)]

    def test_keyword_s3_uri(self):
        found = S3IterableDataset.from_prefix(
            s3_uri=uri("data/0"), region=REGION, endpoint=ENDPOINT, s3client_config=CONFIG
        )
        assert [reader.key for reader in found] == KEYS[:10]

    def test_region_and_endpoint(self):
        found = dataset(S3IterableDataset)
        assert (found.region, found.endpoint) == (REGION, ENDPOINT)

    def test_a_prefix_that_nothing_has(self):
        found = S3IterableDataset.from_prefix(
            uri("nothing/"), region=REGION, endpoint=ENDPOINT, s3client_config=CONFIG
        )
        assert list(found) == []

    def test_from_objects(self):
        uris = [uri("data/03"), uri("data/01")]
        found = S3IterableDataset.from_objects(
            uris, region=REGION, endpoint=ENDPOINT, s3client_config=CONFIG, transform=read_all
        )
        assert list(found) == [("data/03", content(3)), ("data/01", content(1))]

    def test_from_one_object(self):
        found = S3IterableDataset.from_objects(
            uri("data/03"), region=REGION, endpoint=ENDPOINT, s3client_config=CONFIG
        )
        assert [reader.read() for reader in found] == [content(3)]

    @pytest.mark.parametrize("bad", ["", "http://x/y", "s3://", "s3:///key"])
    def test_uris_that_are_none(self, bad):
        with pytest.raises(ValueError):
            list(S3IterableDataset.from_objects([bad], region=REGION, endpoint=ENDPOINT, s3client_config=CONFIG))

    def test_region_is_needed(self):
        with pytest.raises(TypeError):
            S3IterableDataset.from_prefix(uri("data/"))

    @pytest.mark.parametrize("constructor", CONSTRUCTORS)
    def test_reader_constructors(self, constructor):
        found = dataset(S3IterableDataset, reader_constructor=CONSTRUCTORS[constructor], transform=read_all)
        assert dict(list(found)[:12]) == {f"data/{number:02}": content(number) for number in range(12)}

    def test_pickled(self):
        found = pickle.loads(pickle.dumps(dataset(S3IterableDataset, transform=read_all)))
        assert [key for key, _ in found] == KEYS


class TestSharding:
    def loaded(self, workers, sharding):
        found = dataset(S3IterableDataset, transform=read_all, enable_sharding=sharding)
        return [
            key for batch in DataLoader(found, batch_size=2, num_workers=workers, collate_fn=list) for key, _ in batch
        ]

    def test_without_it_every_worker_has_all(self):
        assert sorted(self.loaded(2, False)) == sorted(KEYS * 2)

    def test_with_it_each_comes_once(self):
        assert sorted(self.loaded(3, True)) == KEYS

    def test_without_workers(self):
        assert self.loaded(0, True) == KEYS


class TestMap:
    def test_len_and_items(self):
        found = dataset(S3MapDataset)
        assert len(found) == 13
        assert found[3].read() == content(3)
        assert found[-1].read() == b"deep"

    def test_behind_the_end(self):
        with pytest.raises(IndexError):
            dataset(S3MapDataset)[13]

    def test_from_objects_with_a_transform(self):
        found = S3MapDataset.from_objects(
            [uri("data/05"), uri("data/02")],
            region=REGION,
            endpoint=ENDPOINT,
            s3client_config=CONFIG,
            transform=read_all,
        )
        assert [found[1], found[0]] == [("data/02", content(2)), ("data/05", content(5))]

    @pytest.mark.parametrize("context", ["fork", "spawn"])
    def test_in_workers(self, context):
        loader = DataLoader(
            dataset(S3MapDataset, transform=read_all),
            batch_size=4,
            num_workers=2,
            shuffle=True,
            multiprocessing_context=context,
            collate_fn=list,
        )
        assert sorted(key for batch in loader for key, _ in batch) == KEYS


@pytest.mark.parametrize("constructor", CONSTRUCTORS)
class TestReader:
    @pytest.fixture
    def reader(self, client, constructor):
        return client.get_object(BUCKET, "data/05", reader_constructor=CONSTRUCTORS[constructor])

    def test_a_part_the_rest_and_the_end(self, reader):
        assert reader.read(10) == content(5)[:10]
        assert reader.tell() == 10
        assert reader.read(0) == b""
        assert reader.read() == content(5)[10:]
        assert reader.read() == b""
        assert reader.read(5) == b""
        assert reader.tell() == 1005

    def test_types(self, reader):
        assert type(reader.read(3)) is bytes
        assert type(reader.read()) is bytes
        assert type(reader.read(3)) is bytes

    def test_more_than_there_is(self, reader):
        assert reader.read(5000) == content(5)
        assert reader.read(5000) == b""

    def test_negative_and_none(self, reader):
        assert reader.read(-1) == content(5)
        reader.seek(1000)
        assert reader.read(None) == content(5)[1000:]

    def test_seek(self, reader):
        assert reader.seek(500) == 500
        assert reader.read(5) == content(5)[500:505]
        assert reader.seek(-5, io.SEEK_CUR) == 500
        assert reader.read(5) == content(5)[500:505]
        assert reader.seek(-3, io.SEEK_END) == 1002
        assert reader.read() == content(5)[1002:]
        assert reader.seek(0) == 0
        assert reader.read(4) == content(5)[:4]

    def test_seek_beyond_the_end(self, reader):
        assert reader.seek(0, io.SEEK_END) == 1005
        assert reader.read() == b""
        assert reader.seek(5, io.SEEK_END) == 1005
        assert reader.seek(9999) == 1005

    @pytest.mark.parametrize(
        "arguments, error",
        [((-1,), ValueError), ((0, 7), ValueError), (("1",), TypeError), ((0, "1"), TypeError), ((1.5,), TypeError)],
    )
    def test_seeks_that_are_none(self, reader, arguments, error):
        with pytest.raises(error):
            reader.seek(*arguments)

    def test_size_of_another_type(self, reader):
        with pytest.raises(TypeError):
            reader.read("5")

    def test_readinto(self, reader):
        room = bytearray(300)
        assert reader.readinto(room) == 300
        assert room == content(5)[:300]
        assert reader.tell() == 300
        rest = bytearray(2000)
        assert reader.readinto(memoryview(rest)) == 705
        assert rest[:705] == content(5)[300:]
        assert reader.readinto(room) == 0

    def test_readinto_what_cannot_be_written(self, reader):
        with pytest.raises(TypeError):
            reader.readinto(bytes(10))

    def test_lines(self, reader):
        assert reader.readline(20) == content(5)[:20]

    def test_as_a_context_manager(self, reader):
        with reader as opened:
            assert opened.read(3) == content(5)[:3]

    def test_large_objects(self, client, constructor, large):
        reader = client.get_object(BUCKET, "other/large", reader_constructor=CONSTRUCTORS[constructor])
        reader.seek(9 * MIB + 5)
        assert reader.read(2 * MIB) == large[9 * MIB + 5 : 11 * MIB + 5]
        reader.seek(0)
        room = bytearray(len(large))
        if constructor == "small_buffer":
            return
        assert reader.readinto(room) == len(large)
        assert room == large

    def test_what_is_not_there(self, client, constructor):
        reader = client.get_object(BUCKET, "none", reader_constructor=CONSTRUCTORS[constructor])
        with pytest.raises(S3Exception):
            reader.read()

    def test_an_empty_bucket_name(self, client, constructor):
        with pytest.raises(ValueError):
            client.get_object("", "x", reader_constructor=CONSTRUCTORS[constructor])


class TestWriter:
    def test_a_file_that_is_written(self, checkpoint):
        writer = checkpoint.writer(uri("w/a"))
        assert isinstance(writer, S3Writer) and isinstance(writer, io.BufferedIOBase)
        assert writer.writable() and not writer.readable()
        assert writer.write(b"one ") == 4
        assert writer.write(memoryview(b"two")) == 3
        assert writer.tell() == 7
        writer.flush()
        assert not writer.closed
        writer.close()
        assert writer.closed
        writer.close()
        assert checkpoint.reader(uri("w/a")).read() == b"one two"

    def test_a_closed_one(self, checkpoint):
        with checkpoint.writer(uri("w/closed")) as writer:
            writer.write(b"x")
        with pytest.raises(ValueError):
            writer.write(b"y")

    def test_nothing_written(self, checkpoint, client):
        with checkpoint.writer(uri("w/empty")):
            pass
        assert client.head_object(BUCKET, "w/empty").size == 0

    def test_nothing_is_seen_before_it_is_closed(self, checkpoint, client):
        writer = checkpoint.writer(uri("w/later"))
        writer.write(b"x")
        with pytest.raises(S3Exception):
            client.head_object(BUCKET, "w/later")
        writer.close()
        assert client.head_object(BUCKET, "w/later").size == 1

    def test_a_bucket_that_is_not_there(self, checkpoint):
        with pytest.raises(S3Exception):
            writer = checkpoint.writer("s3://bucket-that-is-not-there/x")
            writer.write(b"x")
            writer.close()


class TestCheckpoint:
    def test_torch_save_and_load(self, checkpoint):
        state = {"weights": torch.arange(100_000, dtype=torch.float32), "step": 7}
        with checkpoint.writer(uri("c/model")) as writer:
            torch.save(state, writer)
        with checkpoint.reader(uri("c/model")) as reader:
            found = torch.load(reader)
        assert found["step"] == 7
        assert torch.equal(found["weights"], state["weights"])

    def test_a_module(self, checkpoint):
        model = torch.nn.Linear(64, 64)
        with checkpoint.writer(uri("c/module")) as writer:
            torch.save(model.state_dict(), writer)
        other = torch.nn.Linear(64, 64)
        other.load_state_dict(torch.load(checkpoint.reader(uri("c/module"))))
        assert torch.equal(model.weight, other.weight)

    @pytest.mark.parametrize("bad", ["", "http://x/y", "s3://"])
    def test_uris_that_are_none(self, checkpoint, bad):
        with pytest.raises(ValueError):
            checkpoint.reader(bad)
        with pytest.raises(ValueError):
            checkpoint.writer(bad)


class TestClient:
    def test_head(self, client):
        found = client.head_object(BUCKET, "data/05")
        assert found.size == 1005
        assert found.etag.startswith('"') and found.etag.endswith('"')
        assert isinstance(found.last_modified, int) and found.last_modified > 1_000_000_000
        assert found.restore_status is None

    def test_head_of_what_is_not_there(self, client):
        with pytest.raises(S3Exception, match="^Service error: The object was not found$"):
            client.head_object(BUCKET, "none")

    def test_get_of_what_is_not_there(self, client):
        with pytest.raises(S3Exception, match="^Service error: The key does not exist$"):
            client.get_object(BUCKET, "none").read()

    def test_list_of_a_bucket_that_is_not_there(self, client):
        with pytest.raises(S3Exception, match="^Service error: The bucket does not exist$"):
            next(iter(client.list_objects("bucket-that-is-not-there")))

    def test_list_in_pages(self, client):
        pages = list(client.list_objects(BUCKET, "data/", max_keys=5))
        assert [[info.key for info in page.object_info] for page in pages] == [KEYS[:5], KEYS[5:10], KEYS[10:]]
        assert [info.size for info in pages[0].object_info] == [1000, 1001, 1002, 1003, 1004]
        assert pages[0].object_info[0].etag == client.head_object(BUCKET, KEYS[0]).etag

    def test_list_with_a_delimiter(self, client):
        pages = list(client.list_objects(BUCKET, "data/", "/"))
        assert [info.key for page in pages for info in page.object_info] == KEYS[:12]
        assert [prefix for page in pages for prefix in page.common_prefixes] == ["data/sub/"]

    def test_delete_and_copy(self, client):
        client.copy_object(BUCKET, "data/05", BUCKET, "copied")
        assert client.get_object(BUCKET, "copied").read() == content(5)
        client.delete_object(BUCKET, "copied")
        with pytest.raises(S3Exception):
            client.head_object(BUCKET, "copied")
        client.delete_object(BUCKET, "copied")

    def test_copy_of_what_is_not_there(self, client):
        with pytest.raises(S3Exception):
            client.copy_object(BUCKET, "none", BUCKET, "copied")

    def test_streams(self, client, large):
        stream = client._get_object_stream(BUCKET, "other/large", 10, 9 * MIB)
        assert b"".join(stream) == large[10 : 9 * MIB]

    def test_config(self):
        config = S3ClientConfig()
        assert (config.part_size, config.throughput_target_gbps, config.max_attempts) == (8 * MIB, 10.0, 10)
        assert (config.unsigned, config.force_path_style, config.profile) == (False, False, None)
        with pytest.raises(AttributeError):
            config.part_size = 1

    @pytest.mark.parametrize("part_size", [1024, 6 << 30])
    def test_part_sizes_that_are_none(self, part_size):
        wrong = S3Client(REGION, endpoint=ENDPOINT, s3client_config=S3ClientConfig(part_size=part_size))
        with pytest.raises(S3Exception):
            wrong.head_object(BUCKET, "data/05")

    def test_pickled_exceptions(self):
        found = pickle.loads(pickle.dumps(S3Exception("Service error: x")))
        assert isinstance(found, S3Exception) and found.args == ("Service error: x",)


class TestConstructor:
    def test_names(self):
        name_of = S3ReaderConstructor.get_reader_type_string
        assert name_of(None) == "sequential"
        assert name_of(S3ReaderConstructor.default()) == "sequential"
        assert name_of(S3ReaderConstructor.sequential()) == "sequential"
        assert name_of(S3ReaderConstructor.range_based(5)) == "range_based"
        assert name_of(S3ReaderConstructor.dcp_optimized()) == "dcp_optimized"
        assert name_of(partial(print)) == "unknown"
        assert name_of(lambda **_: None) == "unknown"

    def test_dcp_wants_no_negative_gaps(self):
        with pytest.raises(ValueError):
            S3ReaderConstructor.dcp_optimized(max_gap_size=-1)
