"""Objects of any store, by requests to the engine: what the compatibility modules are built on.

A `Store` has a pool of connections; a call takes one for as long as it lasts, so that threads do not wait for each other.
No thread runs here and nothing is shared with a forked child: it connects anew. The messages are described in
docs/bridge.md ("Stores").
"""

from __future__ import annotations

import json
import os
import socket
import struct
import threading
from collections import deque
from dataclasses import dataclass
from typing import Any, Deque, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

from ._engine import Engine
from .errors import EngineDied, HeadraceError, error_of

Buffer = Union[bytes, bytearray, memoryview]

#: Bytes of the payload, kind, zeros, bytes of the head.
_PREFIX = struct.Struct("<IB3xI")
_REQUEST = 32

#: Bytes of one request for a part of an object, and of one piece of an upload.
PART_BYTES = 8 << 20
#: Parts of one object that are under way at once.
PARTS_IN_FLIGHT = 8
#: Bytes that one put request may have; larger objects go through a writer.
_MAX_PUT = 32 << 20
#: Connections that are kept for the next calls.
_MAX_IDLE = 32
#: Keys of one delete request.
_DELETE_KEYS = 1000


class ObjectInfo(NamedTuple):
    """What a store knows of an object. `modified` is in milliseconds since 1970."""

    key: str
    size: int
    etag: str
    modified: float
    storage_class: Optional[str] = None
    content_type: Optional[str] = None
    metadata: Optional[Mapping[str, str]] = None
    checksum: Optional[Mapping[str, str]] = None


@dataclass(frozen=True)
class Place:
    """An object by its container and key, whatever letters the key has. A text is read as a URL instead."""

    container: str
    key: str

    def fields(self) -> Dict[str, Any]:
        return {"container": self.container, "key": self.key}

    def __str__(self) -> str:
        return f"{self.container}/{self.key}"


Where = Union[str, Place]


def _fields(where: Where) -> Dict[str, Any]:
    return where.fields() if isinstance(where, Place) else {"url": local_url(where)}


def local_url(url: str) -> str:
    """The URL; a path relative to this process's folder is made absolute, for the engine has another one."""
    scheme, mark, rest = url.partition("://")
    if not mark:
        return url if url.startswith("/") else os.path.abspath(url) + ("/" if url.endswith("/") else "")
    if scheme in ("file", "direct") and not rest.startswith("/"):
        return f"{scheme}://{os.path.abspath(rest)}" + ("/" if rest.endswith("/") else "")
    return url


def _info(value: Mapping[str, Any]) -> ObjectInfo:
    return ObjectInfo(
        value["key"],
        value["size"],
        value["etag"],
        value["modified"],
        value.get("storageClass"),
        value.get("contentType"),
        value.get("metadata"),
        value.get("checksum"),
    )


class _Connection:
    """One socket and its requests, which may be answered in any order."""

    def __init__(self, engine: Engine, options: Mapping[str, Any]) -> None:
        self.engine_pid = engine.pid
        hello: Dict[str, Any] = {"op": "store", "options": options}
        self.socket, _, _ = engine.connect(hello)
        self._next = 0
        self._early: Dict[int, Tuple[Mapping[str, Any], bytes]] = {}
        #: Requests that were sent and whose answers nobody has read.
        self.pending = 0
        self.broken = False

    def send(self, head: Dict[str, Any], body: Buffer = b"") -> int:
        self._next += 1
        head["id"] = self._next
        text = json.dumps(head, separators=(",", ":")).encode()
        view = memoryview(body).cast("B")
        prefix = _PREFIX.pack(4 + len(text) + len(view), _REQUEST, len(text))
        try:
            if len(view) <= 65536:
                self.socket.sendall(b"".join((prefix, text, view)))
            else:
                self.socket.sendall(prefix + text)
                self.socket.sendall(view)
        except BaseException as error:
            self.broken = True
            if isinstance(error, OSError):
                raise self._died() from error
            raise
        self.pending += 1
        return self._next

    def receive(self, number: int, into: Optional[memoryview] = None) -> Tuple[Mapping[str, Any], bytes]:
        """The answer to a request. Its body is read to `into` where that is given and the answer is the next one."""
        early = self._early.pop(number, None)
        while early is None:
            head, body = self._read(number, into)
            if head["id"] == number:
                early = head, body
            else:
                self._early[head["id"]] = head, body
        head, body = early
        if not head["ok"]:
            raise _failure(head)
        return head, body

    def _read(self, number: int, into: Optional[memoryview]) -> Tuple[Mapping[str, Any], bytes]:
        try:
            payload_bytes, _, head_bytes = _PREFIX.unpack(self._exactly(_PREFIX.size))
            body_bytes = payload_bytes - 4 - head_bytes
            head = json.loads(self._exactly(head_bytes))
            if head["id"] is None:
                self.broken = True
                raise _failure(head)
            if into is not None and head["id"] == number and head["ok"]:
                self._fill(into[:body_bytes])
                body = b""
            else:
                body = self._exactly(body_bytes) if body_bytes else b""
        except HeadraceError:
            raise
        except BaseException as error:
            self.broken = True
            if isinstance(error, OSError):
                raise self._died() from error
            raise
        self.pending -= 1
        return head, body

    def _exactly(self, count: int) -> bytes:
        data = self.socket.recv(count, socket.MSG_WAITALL)
        if len(data) == count:
            return data
        pieces = [data]
        missing = count - len(data)
        while missing > 0:
            if not data:
                raise self._died()
            data = self.socket.recv(missing, socket.MSG_WAITALL)
            pieces.append(data)
            missing -= len(data)
        return b"".join(pieces)

    def _fill(self, view: memoryview) -> None:
        while len(view) > 0:
            count = self.socket.recv_into(view, len(view), socket.MSG_WAITALL)
            if count == 0:
                raise self._died()
            view = view[count:]

    def _died(self) -> EngineDied:
        self.broken = True
        told = "" if self.engine_pid is None else f" (pid {self.engine_pid})"
        return EngineDied(f"the headrace engine{told} ended the connection to its stores")

    def close(self) -> None:
        self.broken = True
        self.socket.close()


class Store:
    """Objects of all stores that URLs name. `options` by scheme, such as ``{"s3": {"region": "eu-west-1"}}``.

    Errors are `HeadraceError`, with a code such as E_NOT_FOUND.
    """

    def __init__(self, options: Optional[Mapping[str, Any]] = None, engine: Optional[Engine] = None) -> None:
        self._options = dict(options or {})
        self._engine = engine
        self._lock = threading.Lock()
        self._idle: List[_Connection] = []
        self._pid = os.getpid()

    def __getstate__(self) -> Dict[str, Any]:
        return {"options": self._options}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__init__(state["options"])  # type: ignore[misc]

    @property
    def options(self) -> Mapping[str, Any]:
        return self._options

    # Connections -----------------------------------------------------------------------------------------------------

    def _take(self) -> _Connection:
        if self._pid != os.getpid():
            # The parent's sockets: closing them here leaves them open there.
            self._lock = threading.Lock()
            inherited, self._idle, self._pid = self._idle, [], os.getpid()
            for connection in inherited:
                connection.close()
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return _Connection(self._engine or Engine.get(), self._options)

    def _give(self, connection: _Connection) -> None:
        """Back to the pool. One with answers that nobody waits for is closed, which ends what it asked for."""
        if connection.broken and self._pid == os.getpid():
            # An engine that is gone is so for all of them.
            self.close()
        if connection.broken or connection.pending > 0 or self._pid != os.getpid():
            connection.close()
            return
        with self._lock:
            if len(self._idle) < _MAX_IDLE:
                self._idle.append(connection)
                return
        connection.close()

    def _ask(self, head: Dict[str, Any], body: Buffer = b"") -> Tuple[Mapping[str, Any], bytes]:
        connection = self._take()
        try:
            return connection.receive(connection.send(head, body))
        finally:
            self._give(connection)

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    # Objects ---------------------------------------------------------------------------------------------------------

    def get(self, where: Where) -> bytes:
        """The whole object. E_NOT_FOUND."""
        return self.get_with_info(where)[1]

    def get_with_info(self, where: Where) -> Tuple[ObjectInfo, bytes]:
        connection = self._take()
        try:
            head, first = connection.receive(connection.send({"op": "get", **_fields(where)}))
            info = _info(head["value"])
            if len(first) >= info.size:
                return info, first
            whole = bytearray(info.size)
            whole[: len(first)] = first
            self._parts(connection, where, info, memoryview(whole), 0, len(first))
            return info, bytes(whole)
        finally:
            self._give(connection)

    def get_range(self, where: Where, offset: int, length: Optional[int] = None, etag: Optional[str] = None) -> bytes:
        """Bytes from `offset` on: all that follow, or `length`; fewer where the object ends. E_USAGE behind its end.

        E_STATE where the object has another etag than `etag`.
        """
        connection = self._take()
        try:
            asked = PART_BYTES if length is None else min(length, PART_BYTES)
            head, first = connection.receive(connection.send(_range_request(where, offset, asked, etag)))
            info = _info(head["value"])
            end = info.size if length is None else min(info.size, offset + length)
            if offset + len(first) >= end:
                return first
            whole = bytearray(end - offset)
            whole[: len(first)] = first
            self._parts(connection, where, info, memoryview(whole), offset, len(first))
            return bytes(whole)
        finally:
            self._give(connection)

    def read_into(self, where: Where, view: memoryview, offset: int = 0, etag: Optional[str] = None) -> int:
        """Reads a range to where it is wanted; returns the bytes that there were."""
        if len(view) == 0:
            return 0
        connection = self._take()
        try:
            asked = min(len(view), PART_BYTES)
            number = connection.send(_range_request(where, offset, asked, etag))
            head, _ = connection.receive(number, view[:asked])
            info = _info(head["value"])
            total = max(0, min(len(view), info.size - offset))
            if total > asked:
                self._parts(connection, where, info, view[:total], offset, asked)
            return total
        finally:
            self._give(connection)

    def _parts(
        self, connection: _Connection, where: Where, info: ObjectInfo, view: memoryview, offset: int, done: int
    ) -> None:
        """The rest of `view`, whose first byte is that at `offset`: several parts under way, of one version."""
        waiting: List[Tuple[int, int, int]] = []
        at = done
        while at < len(view) or waiting:
            while at < len(view) and len(waiting) < PARTS_IN_FLIGHT:
                count = min(PART_BYTES, len(view) - at)
                waiting.append((connection.send(_range_request(where, offset + at, count, info.etag)), at, count))
                at += count
            number, start, count = waiting.pop(0)
            target = view[start : start + count]
            _, early = connection.receive(number, target)
            if early:
                target[: len(early)] = early

    def stream(
        self,
        where: Where,
        start: int = 0,
        end: Optional[int] = None,
        part_bytes: int = PART_BYTES,
        ahead: int = PARTS_IN_FLIGHT,
    ) -> "ObjectStream":
        """The object, or a range of it, in pieces of one version. The first of them is asked for at once."""
        return ObjectStream(self, where, start, end, part_bytes, ahead)

    def get_many(
        self, wheres: Sequence[Where], in_flight: int = 64, ordered: bool = True
    ) -> Iterator[Tuple[int, ObjectInfo, bytes]]:
        """(index, info, bytes) of many objects, `in_flight` requests at once, in the order of `wheres`."""
        connection = self._take()
        try:
            waiting: Deque[int] = deque()
            sent = 0
            for index, where in enumerate(wheres):
                while sent < len(wheres) and len(waiting) < in_flight:
                    waiting.append(connection.send({"op": "get", **_fields(wheres[sent])}))
                    sent += 1
                head, body = connection.receive(waiting.popleft())
                info = _info(head["value"])
                if len(body) < info.size:
                    whole = bytearray(info.size)
                    whole[: len(body)] = body
                    self._parts(connection, where, info, memoryview(whole), 0, len(body))
                    body = bytes(whole)
                yield index, info, body
        finally:
            self._give(connection)

    def head(self, where: Where) -> Optional[ObjectInfo]:
        """None where there is no such object."""
        value = self._ask({"op": "head", **_fields(where)})[0].get("value")
        return None if value is None else _info(value)

    def head_many(self, wheres: Sequence[Where], in_flight: int = 64) -> List[Optional[ObjectInfo]]:
        found = self._many((({"op": "head", **_fields(where)}, b"") for where in wheres), in_flight)
        return [None if head.get("value") is None else _info(head["value"]) for head in found]

    def _many(
        self, requests: Iterable[Tuple[Dict[str, Any], Buffer]], in_flight: int
    ) -> List[Mapping[str, Any]]:
        """Answers, in the order of the requests; taken from the iterable as there is room for another one."""
        answers: List[Mapping[str, Any]] = []
        connection = self._take()
        try:
            waiting: Deque[int] = deque()
            for head, body in requests:
                if len(waiting) >= in_flight:
                    answers.append(connection.receive(waiting.popleft())[0])
                waiting.append(connection.send(head, body))
            answers.extend(connection.receive(number)[0] for number in waiting)
            return answers
        finally:
            self._give(connection)

    def put(self, where: Where, data: Buffer, **options: Any) -> ObjectInfo:
        """Writes an object. Options: content_type, metadata, storage_class, if_none_match="*"."""
        view = memoryview(data).cast("B")
        if len(view) <= _MAX_PUT:
            return _info(self._ask({"op": "put", **_fields(where), **_put_options(options)}, view)[0]["value"])
        with self.writer(where, size=len(view), **options) as writer:
            writer.write(view)
        assert writer.info is not None
        return writer.info

    def put_many(self, items: Iterable[Tuple[Where, Buffer]], in_flight: int = 64) -> None:
        def requests() -> Iterator[Tuple[Dict[str, Any], Buffer]]:
            for where, data in items:
                view = memoryview(data).cast("B")
                if len(view) > _MAX_PUT:
                    self.put(where, view)
                else:
                    yield {"op": "put", **_fields(where)}, view

        self._many(requests(), in_flight)

    def writer(self, where: Where, size: Optional[int] = None, **options: Any) -> "Writer":
        return Writer(self, where, size, _put_options(options))

    def delete(self, where: Where) -> None:
        """What is not there is no error."""
        _raise_failed(self._ask({"op": "delete", **_fields(where)})[0]["value"]["failed"])

    def delete_keys(self, container: str, keys: Sequence[str]) -> None:
        for at in range(0, len(keys), _DELETE_KEYS):
            head = {"op": "delete", "container": container, "keys": list(keys[at : at + _DELETE_KEYS])}
            _raise_failed(self._ask(head)[0]["value"]["failed"])

    def remove(self, where: Where) -> Mapping[str, Any]:
        """An object, or a folder with all that is in it; the report of the removal. E_NOT_FOUND."""
        report = self._ask({"op": "remove", **_fields(where)})[0]["value"]
        _raise_failed(report["failures"])
        return report

    def copy(self, source: Where, target: Where, **options: Any) -> ObjectInfo:
        """By the server, where both are of one service. E_NOT_FOUND."""
        head = {"op": "copy", "from": _fields(source), "to": _fields(target), **_put_options(options)}
        return _info(self._ask(head)[0]["value"])

    def transfer(self, sources: Sequence[str], target: str, recursive: bool = False, jobs: int = 32) -> Mapping[str, Any]:
        """Copies between paths and stores, as `headrace cp`; its report."""
        froms = [local_url(source) for source in sources]
        head = {"op": "transfer", "from": froms, "to": local_url(target), "recursive": recursive, "jobs": jobs}
        report = self._ask(head)[0]["value"]
        _raise_failed(report["failures"])
        return report

    # Listings --------------------------------------------------------------------------------------------------------

    def list(
        self,
        where: Where,
        delimiter: Optional[str] = None,
        start_after: Optional[str] = None,
        page: int = 1000,
        parallel: Optional[int] = None,
    ) -> Iterator[Union[ObjectInfo, str]]:
        """Objects whose keys begin with that of `where`, in order; with a delimiter common prefixes too, as texts."""
        for entries in self.list_pages(where, delimiter, start_after, page, parallel):
            yield from entries

    def list_pages(
        self,
        where: Where,
        delimiter: Optional[str] = None,
        start_after: Optional[str] = None,
        page: int = 1000,
        parallel: Optional[int] = None,
    ) -> Iterator[List[Union[ObjectInfo, str]]]:
        head: Dict[str, Any] = {"op": "list.open", "list": 1}
        if isinstance(where, Place):
            head.update(container=where.container, prefix=where.key)
        else:
            head["url"] = local_url(where)
        if delimiter:
            head["delimiter"] = delimiter
        if start_after is not None:
            head["startAfter"] = start_after
        if parallel is not None:
            head["parallel"] = parallel
        connection = self._take()
        done = False
        try:
            connection.receive(connection.send(head))
            # One page is fetched while the one before is used.
            number = connection.send({"op": "list.next", "list": 1, "count": page})
            while not done:
                answer, _ = connection.receive(number)
                done = answer["value"]["done"]
                if not done:
                    number = connection.send({"op": "list.next", "list": 1, "count": page})
                yield [each if isinstance(each, str) else ObjectInfo(*each) for each in answer["value"]["entries"]]
        finally:
            if not done:
                connection.close()
            self._give(connection)

    # Containers and content ------------------------------------------------------------------------------------------

    def create_container(self, url: str) -> None:
        self._ask({"op": "container.create", "url": local_url(url)})

    def delete_container(self, url: str) -> None:
        self._ask({"op": "container.delete", "url": local_url(url)})

    def list_containers(self, url: str) -> List[Mapping[str, Any]]:
        """`name`, and `created` (ms since 1970) where it is known, of the buckets of an account: ``s3://``."""
        return list(self._ask({"op": "container.list", "url": url})[0]["value"]["containers"])

    def content(self, size: int, seed: int = 0, dedup: int = 1, compress: int = 1) -> bytearray:
        """Generated bytes, the same for the same arguments."""
        data = bytearray(size)
        self.content_into(memoryview(data), seed, dedup, compress)
        return data

    def content_into(
        self, view: memoryview, seed: int = 0, dedup: int = 1, compress: int = 1, size: int = 0, offset: int = 0
    ) -> None:
        """The bytes from `offset` on of content of `size` bytes (0: of as many as there is room for)."""
        total = size or len(view)
        connection = self._take()
        try:
            for at in range(0, len(view), PART_BYTES):
                part = view[at : at + PART_BYTES]
                head = {"op": "content", "size": total, "offset": offset + at, "length": len(part), "seed": seed}
                connection.receive(connection.send({**head, "dedup": dedup, "compress": compress}), part)
        finally:
            self._give(connection)

    def generate_many(
        self, urls: Sequence[str], size: int, seed: int = 0, dedup: int = 1, compress: int = 1, in_flight: int = 64
    ) -> None:
        """Writes an object of generated content under each URL; no two are alike, but for `dedup`."""
        heads = (
            {
                "op": "generate",
                "url": local_url(url),
                "size": size,
                "seed": seed,
                "object": index,
                "objects": len(urls),
                "dedup": dedup,
                "compress": compress,
            }
            for index, url in enumerate(urls)
        )
        self._many(((head, b"") for head in heads), in_flight)


class ObjectStream:
    """Pieces of an object, an iterator of bytes. Memory: (ahead + 1) x part_bytes.

    A connection is held while pieces are on their way: not between the first piece and the call for the second, for many
    streams are read no further.
    """

    def __init__(
        self, store: Store, where: Where, start: int, end: Optional[int], part_bytes: int, ahead: int
    ) -> None:
        self._store = store
        self._where = where
        self._part_bytes = part_bytes
        self._ahead = ahead
        self._end = end
        self._asked = start
        self._position = start
        self._info: Optional[ObjectInfo] = None
        self._waiting: List[int] = []
        self._pid = os.getpid()
        self._connection: Optional[_Connection] = None
        self._done = end is not None and end <= start
        if not self._done:
            self._connection = store._take()
            first = part_bytes if end is None else min(part_bytes, end - start)
            try:
                self._waiting.append(self._connection.send(_range_request(where, start, first, None)))
            except BaseException:
                self._leave()
                raise

    @property
    def info(self) -> Optional[ObjectInfo]:
        """Of the whole object, once a piece is there."""
        return self._info

    def tell(self) -> int:
        """Where in the object the next piece begins."""
        return self._position

    def __iter__(self) -> "ObjectStream":
        return self

    def __next__(self) -> bytes:
        if self._done:
            raise StopIteration
        if self._pid != os.getpid():
            raise HeadraceError("E_STATE", "this stream belongs to the parent process: open one per process")
        try:
            connection = self._connection
            if connection is None:
                connection = self._connection = self._store._take()
            self._ask(connection)
            head, piece = connection.receive(self._waiting.pop(0))
            if self._info is None:
                self._info = _info(head["value"])
                self._asked += len(piece)
                self._end = self._info.size if self._end is None else min(self._end, self._info.size)
        except BaseException:
            self.close()
            raise
        self._position += len(piece)
        assert self._end is not None
        if self._position >= self._end:
            self._done = True
        if not self._waiting:
            self._leave()
        if not piece:
            self.close()
            raise StopIteration
        return piece

    def _ask(self, connection: _Connection) -> None:
        if self._info is None:
            return
        assert self._end is not None
        while self._asked < self._end and len(self._waiting) <= self._ahead:
            count = min(self._part_bytes, self._end - self._asked)
            self._waiting.append(connection.send(_range_request(self._where, self._asked, count, self._info.etag)))
            self._asked += count

    def close(self) -> None:
        """Ends what is on its way."""
        self._done = True
        self._leave()

    def __del__(self) -> None:
        self._leave()

    def _leave(self) -> None:
        connection = getattr(self, "_connection", None)
        self._connection = None
        if connection is not None:
            self._store._give(connection)


class Writer:
    """Writes one object piece by piece. Nothing is seen of it before `close`; left by an error, nothing ever is."""

    def __init__(self, store: Store, where: Where, size: Optional[int], options: Mapping[str, Any]) -> None:
        self._store = store
        self._connection: Optional[_Connection] = store._take()
        self._pid = os.getpid()
        self._waiting: List[int] = []
        self.bytes_written = 0
        self.info: Optional[ObjectInfo] = None
        head: Dict[str, Any] = {"op": "writer.open", "writer": 1, **_fields(where), **options}
        if size is not None:
            head["size"] = size
        try:
            self._connection.receive(self._connection.send(head))
        except BaseException:
            self._leave()
            raise

    def write(self, data: Buffer) -> int:
        """Returns when the data is on its way; it may be changed then. A failure is told by a later call."""
        connection = self._open()
        view = memoryview(data).cast("B")
        for at in range(0, len(view), PART_BYTES):
            if len(self._waiting) >= 2:
                connection.receive(self._waiting.pop(0))
            self._waiting.append(connection.send({"op": "writer.write", "writer": 1}, view[at : at + PART_BYTES]))
        self.bytes_written += len(view)
        return len(view)

    def flush(self) -> None:
        """Waits until the engine has taken all that was written."""
        connection = self._open()
        while self._waiting:
            connection.receive(self._waiting.pop(0))

    def close(self) -> Optional[ObjectInfo]:
        """The object is there when this returns. Called again it changes nothing."""
        if self._connection is None:
            return self.info
        try:
            self.flush()
            head, _ = self._connection.receive(self._connection.send({"op": "writer.close", "writer": 1}))
            self.info = _info(head["value"])
            return self.info
        finally:
            self._leave()

    def abort(self) -> None:
        """Drops what was written; the object is as it was before."""
        connection = self._connection
        if connection is None:
            return
        if self._pid != os.getpid() or connection.broken:
            self._leave()
            return
        try:
            while self._waiting:
                try:
                    connection.receive(self._waiting.pop(0))
                except HeadraceError:
                    if connection.broken:
                        return
            connection.receive(connection.send({"op": "writer.abort", "writer": 1}))
        finally:
            self._leave()

    @property
    def closed(self) -> bool:
        return self._connection is None

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def _open(self) -> _Connection:
        if self._connection is None:
            raise ValueError("the writer is closed")
        if self._pid != os.getpid():
            raise HeadraceError("E_STATE", "this writer belongs to the parent process: open one per process")
        return self._connection

    def _leave(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._store._give(connection)


def _range_request(where: Where, offset: int, length: int, etag: Optional[str]) -> Dict[str, Any]:
    head = {"op": "get", **_fields(where), "offset": offset, "length": length}
    if etag:
        head["ifMatch"] = etag
    return head


_PUT_OPTIONS = {
    "content_type": "contentType",
    "metadata": "metadata",
    "storage_class": "storageClass",
    "if_none_match": "ifNoneMatch",
}


def _put_options(options: Mapping[str, Any]) -> Dict[str, Any]:
    unknown = [name for name in options if name not in _PUT_OPTIONS]
    if unknown:
        raise TypeError(f"a put has no option {unknown[0]!r}; it has {', '.join(_PUT_OPTIONS)}")
    return {_PUT_OPTIONS[name]: value for name, value in options.items() if value is not None}


def _failure(head: Mapping[str, Any]) -> HeadraceError:
    return error_of(head["code"], head["message"], head.get("details"), head.get("hint"))


def _raise_failed(failed: Sequence[Mapping[str, Any]]) -> None:
    if not failed:
        return
    first = failed[0]
    more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
    raise error_of(
        first["code"], f"{first['message']}{more}", {"key": first.get("key") or first.get("url")}, first.get("hint")
    )
