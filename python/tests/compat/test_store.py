"""Objects through the engine."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import pickle
import threading
from typing import Any, List

import pytest

from headrace._store import Place, Store
from headrace.errors import HeadraceError

MIB = 1 << 20


def code_of(error: Any) -> str:
    assert isinstance(error.value, HeadraceError)
    return error.value.code


def test_what_is_put_is_got_whole_and_in_part(store: Store, bucket: str) -> None:
    info = store.put(f"s3://{bucket}/a", b"0123456789", content_type="text/plain", metadata={"by": "me"})
    assert (info.key, info.size) == ("a", 10)
    assert store.get(f"s3://{bucket}/a") == b"0123456789"
    assert store.get_range(f"s3://{bucket}/a", 3, 4) == b"3456"
    assert store.get_range(f"s3://{bucket}/a", 7) == b"789"
    assert store.get_range(f"s3://{bucket}/a", 7, 100) == b"789"
    found = store.head(f"s3://{bucket}/a")
    assert found is not None
    assert (found.size, found.content_type, found.metadata) == (10, "text/plain", {"by": "me"})
    assert found.etag == info.etag


def test_an_empty_object(store: Store, bucket: str) -> None:
    store.put(f"s3://{bucket}/empty", b"")
    assert store.get(f"s3://{bucket}/empty") == b""
    assert list(store.stream(f"s3://{bucket}/empty")) == []


def test_objects_of_many_parts(store: Store, bucket: str) -> None:
    data = bytes(store.content(40 * MIB + 7, seed=1))
    assert store.put(f"s3://{bucket}/large", data).size == len(data)
    assert store.get(f"s3://{bucket}/large") == data
    assert store.get_range(f"s3://{bucket}/large", 5 * MIB, 20 * MIB) == data[5 * MIB : 25 * MIB]
    room = bytearray(30 * MIB)
    assert store.read_into(f"s3://{bucket}/large", memoryview(room), 3) == 30 * MIB
    assert bytes(room) == data[3 : 3 + 30 * MIB]
    pieces = list(store.stream(f"s3://{bucket}/large"))
    assert [len(piece) for piece in pieces] == [8 * MIB] * 5 + [7]
    assert b"".join(pieces) == data
    assert b"".join(store.stream(f"s3://{bucket}/large", 10, 9 * MIB + 3, part_bytes=5 * MIB)) == data[10 : 9 * MIB + 3]


def test_a_stream_is_of_one_version(store: Store, bucket: str) -> None:
    store.put(f"s3://{bucket}/changes", bytes(12 * MIB))
    stream = store.stream(f"s3://{bucket}/changes", ahead=0)
    next(stream)
    store.put(f"s3://{bucket}/changes", b"x" * (12 * MIB))
    with pytest.raises(HeadraceError) as error:
        next(stream)
    assert code_of(error) == "E_STATE"


def test_what_is_not_there(store: Store, bucket: str) -> None:
    with pytest.raises(HeadraceError) as error:
        store.get(f"s3://{bucket}/none")
    assert code_of(error) == "E_NOT_FOUND"
    assert f"s3://{bucket}/none" in str(error.value)
    assert store.head(f"s3://{bucket}/none") is None
    store.delete(f"s3://{bucket}/none")
    with pytest.raises(HeadraceError) as error:
        next(store.stream(f"s3://{bucket}/none"))
    assert code_of(error) == "E_NOT_FOUND"
    # The connection goes on.
    assert store.head_many([f"s3://{bucket}/none"] * 3) == [None] * 3


def test_keys_are_literal_where_the_container_is_named(store: Store, bucket: str) -> None:
    place = Place(f"s3://{bucket}", "odd ?region=x/#%41 é")
    store.put(place, b"odd")
    assert [entry.key for entry in store.list(Place(f"s3://{bucket}", "odd"))] == [place.key]  # type: ignore[union-attr]
    assert store.get(place) == b"odd"
    store.copy(place, Place(f"s3://{bucket}", "copy ?+"))
    assert store.get(Place(f"s3://{bucket}", "copy ?+")) == b"odd"
    store.delete_keys(f"s3://{bucket}", [place.key])
    assert store.head(place) is None


def test_listings_in_pages(store: Store, bucket: str) -> None:
    store.put_many((f"s3://{bucket}/l/{i:03}", b"x" * i) for i in range(25))
    store.put(f"s3://{bucket}/l/sub/y", b"")
    names = [f"l/{i:03}" for i in range(25)]
    found = list(store.list(f"s3://{bucket}/l/", delimiter="/", page=10))
    assert [entry if isinstance(entry, str) else entry.key for entry in found] == [*names, "l/sub/"]
    assert [len(page) for page in store.list_pages(f"s3://{bucket}/l/", page=10)] == [10, 10, 6]
    behind = list(store.list(f"s3://{bucket}/l/", start_after="l/022"))
    assert [entry.key for entry in behind] == ["l/023", "l/024", "l/sub/y"]  # type: ignore[union-attr]


def test_many_objects_come_in_the_order_asked_for(store: Store, bucket: str) -> None:
    urls = [f"s3://{bucket}/m/{i}" for i in range(40)]
    store.put_many((url, url.encode()) for url in urls)
    wanted = list(reversed(urls))
    found = list(store.get_many(wanted, in_flight=7))
    assert [index for index, _, _ in found] == list(range(40))
    assert [data.decode() for _, _, data in found] == wanted


def test_a_writer_shows_nothing_before_it_is_closed(store: Store, bucket: str) -> None:
    where = f"s3://{bucket}/w"
    data = bytes(store.content(20 * MIB, seed=2))
    with store.writer(where) as writer:
        for at in range(0, len(data), 3 * MIB):
            piece = bytearray(data[at : at + 3 * MIB])
            writer.write(piece)
            # What was written may be changed: it is on its way.
            piece[:] = bytes(len(piece))
        assert store.head(where) is None
    assert writer.info is not None and writer.info.size == len(data)
    assert hashlib.sha256(store.get(where)).digest() == hashlib.sha256(data).digest()
    with pytest.raises(ValueError, match="closed"):
        writer.write(b"x")


def test_a_writer_left_by_an_exception_leaves_nothing(store: Store, bucket: str) -> None:
    with pytest.raises(KeyError):
        with store.writer(f"s3://{bucket}/w") as writer:
            writer.write(bytes(20 * MIB))
            raise KeyError("x")
    writer = store.writer(f"s3://{bucket}/w")
    writer.write(b"x")
    writer.abort()
    assert store.head(f"s3://{bucket}/w") is None


def test_threads_do_not_wait_for_each_other(store: Store, bucket: str) -> None:
    for i in range(8):
        store.put(f"s3://{bucket}/t/{i}", str(i).encode() * 100)
    wrong: List[Any] = []

    def read(i: int) -> None:
        try:
            for _ in range(50):
                if store.get(f"s3://{bucket}/t/{i}") != str(i).encode() * 100:
                    wrong.append(i)
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=read, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def _read_in_child(store: Store, where: str, results: Any) -> None:
    results.put(store.get(where))


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_store_goes_along_to_another_process(store: Store, bucket: str, method: str) -> None:
    where = f"s3://{bucket}/p"
    store.put(where, b"for all")
    assert store.get(where) == b"for all"
    context = multiprocessing.get_context(method)
    results = context.Queue()
    child = context.Process(target=_read_in_child, args=(store, where, results))
    child.start()
    assert results.get(timeout=60) == b"for all"
    child.join()
    # The child has closed its copies, not these.
    assert store.get(where) == b"for all"


def test_a_forked_child_may_not_use_its_parents_writer(store: Store, bucket: str) -> None:
    writer = store.writer(f"s3://{bucket}/w")
    pid = os.fork()
    if pid == 0:
        try:
            writer.write(b"x")
            os._exit(1)
        except HeadraceError as error:
            os._exit(0 if error.code == "E_STATE" else 2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    writer.write(b"mine")
    writer.close()
    assert store.get(f"s3://{bucket}/w") == b"mine"


def test_pickling_keeps_the_options(bucket: str) -> None:
    made = pickle.loads(pickle.dumps(Store({"s3": {"region": "us-east-1"}})))
    assert made.options == {"s3": {"region": "us-east-1"}}
    assert made.head(f"s3://{bucket}/none") is None


def test_content_is_the_same_for_the_same_seed(store: Store) -> None:
    whole = store.content(3 * MIB, seed=9, compress=2)
    part = bytearray(1000)
    store.content_into(memoryview(part), 9, 1, 2, 3 * MIB, 12345)
    assert whole[12345:13345] == part
    assert store.content(1000, seed=1) != store.content(1000, seed=2)


def test_files_by_paths_of_this_process(store: Store, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store.put("sub/a", b"here")
    assert (tmp_path / "sub" / "a").read_bytes() == b"here"
    assert store.get("file://sub/a") == b"here"
    assert store.get(f"file://{tmp_path}/sub/a") == b"here"
