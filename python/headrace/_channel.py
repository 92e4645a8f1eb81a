"""Batches from an engine, in memory that is shared with it. The protocol is in docs/bridge.md.

The memory of a batch belongs to its arrays: a lease, which every one of them and every view of them refers to, goes back
to the engine when the last one is gone. A forked child has its parent's arrays for as long as the parent has them; it
opens a channel of its own for others.
"""

from __future__ import annotations

import atexit
import ctypes
import json
import mmap
import os
import socket
import struct
import weakref
from collections import deque
from typing import Any, Callable, Deque, Dict, Iterator, List, Mapping, Optional, Tuple, Union

import numpy as np

from ._engine import Engine
from .batch import RaggedImages as Ragged
from .batch import StoredBytes as Stored
from .errors import EngineDied, HeadraceError, Starved, error_of

__all__ = ["Channel", "Field", "Ragged", "RawBatch", "Stored"]

_LAYOUT, _BATCH, _END, _STARVED, _ERROR, _REPLY = 1, 2, 3, 4, 5, 6
_RELEASE, _START, _CALL = 16, 17, 18

_HEADER = struct.Struct("<II")
_HEAD = struct.Struct("<IIQQQIIII")
_RELEASE_FRAME = struct.Struct("<III")
_COUNT = struct.Struct("<I")
#: Bytes of one look at the socket.
_PIECE = 1 << 16

#: float16 has its own type; NumPy has none for bfloat16, whose bits are in a uint16.
_DTYPES = {"bool": np.dtype(np.bool_), "bfloat16": np.dtype(np.uint16)}


Field = Union[np.ndarray, Stored, Ragged, List[str], Dict[str, Any]]


class RawBatch:
    """One batch: `fields` by name, `index` (sample ids, int64 [size]) and where it stands."""

    __slots__ = ("_state", "epoch", "fields", "index", "memory", "padding", "size", "step")

    fields: Dict[str, Field]
    index: np.ndarray
    epoch: int
    step: int
    size: int
    #: How many samples only fill up the last batch; they stand last.
    padding: int
    #: Address and bytes of its memory; None where it has none.
    memory: Optional[Tuple[int, int]]

    @property
    def state(self) -> Dict[str, Any]:
        """Where a loader stands that has delivered this batch."""
        return json.loads(self._state)


#: Makes a field from the memory of a batch and its strings.
_Maker = Callable[[Any, Mapping[str, List[str]]], Any]


def _array_maker(layout: Mapping[str, Any]) -> Callable[[Any], np.ndarray]:
    name = layout["dtype"]
    dtype = _DTYPES.get(name) or np.dtype(name)
    shape, offset = tuple(layout["shape"]), layout["offset"]
    if 0 in shape:
        return lambda memory: np.empty(shape, dtype)
    return lambda memory: np.ndarray(shape, dtype, memory, offset)


def _field_maker(name: str, layout: Mapping[str, Any]) -> _Maker:
    kind = layout["kind"]
    if kind == "tensor":
        make = _array_maker(layout)
        return lambda memory, strings: make(memory)
    if kind == "string":
        return lambda memory, strings: strings[name]
    if kind == "views":
        views = [(view, _field_maker(view, inner)) for view, inner in layout["views"].items()]
        return lambda memory, strings: {view: make(memory, strings) for view, make in views}
    parts = ("data", "sizes", "heights", "widths") if kind == "stored" else ("data", "offsets", "heights", "widths")
    first, *rest = [_array_maker(layout[part]) for part in parts]
    if kind == "stored":
        return lambda memory, strings: Stored(first(memory), *[make(memory) for make in rest])
    order = layout["layout"]
    return lambda memory, strings: Ragged(first(memory), order, *[make(memory) for make in rest])


class _Layout:
    """How the fields of batches lie in their memory."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.index = _array_maker(document["index"])
        self.fields = [(name, _field_maker(name, field)) for name, field in document["fields"].items()]


#: Kind, payload, and how the batch lies that it is of.
_Frame = Tuple[int, bytes, Optional[_Layout]]


class _Link:
    """What leases need to go back, and nothing more: it outlives the channel while an array does."""

    __slots__ = ("__weakref__", "held", "pid", "socket")

    def __init__(self, connection: socket.socket) -> None:
        self.socket: Optional[socket.socket] = connection
        self.pid = os.getpid()
        #: Batches that are out, by their numbers.
        self.held: Dict[int, Optional[_Lease]] = {}

    def release(self, number: int) -> None:
        # Runs wherever the last reference went, in any thread, at the end of the interpreter too, when there is little
        # left but this object; and maybe in a forked child, whose batch it is not.
        connection = self.socket
        if connection is None or os.getpid() != self.pid:
            return
        self.held.pop(number, None)
        try:
            connection.sendall(_RELEASE_FRAME.pack(4, _RELEASE, number))
        except OSError:
            pass  # the engine is gone: next() says so

    def close(self) -> None:
        connection, self.socket = self.socket, None
        if connection is not None:
            connection.close()


class _Lease(weakref.ref):  # type: ignore[type-arg]
    """Sees the memory of a batch go, when no array refers to it any more."""

    __slots__ = ("link", "number")

    def __new__(cls, memory: Any, link: _Link, number: int) -> "_Lease":
        return super().__new__(cls, memory, _returned)

    def __init__(self, memory: Any, link: _Link, number: int) -> None:
        super().__init__(memory, _returned)
        self.link = link
        self.number = number


def _returned(lease: _Lease) -> None:
    lease.link.release(lease.number)


#: Of all channels of this process.
_links: "weakref.WeakSet[_Link]" = weakref.WeakSet()


def _close_links() -> None:
    # After a fork the connections are the parent's: a child that lives longer must not keep them open.
    for link in list(_links):
        link.close()


os.register_at_fork(after_in_child=_close_links)
atexit.register(_close_links)


class Channel:
    """Iterates one dataset, in one thread at a time.

    `dataset`: a spec, such as ``{"kind": "cache", "path": "/data/photos.cache"}``; paths are absolute. `options`: of
    `load()`, by their TypeScript names. `slots`: batches that are held or on their way at once. `pinned`: the memory is
    registered with a device, so that its pages must stay.
    """

    def __init__(
        self,
        engine: Engine,
        dataset: Mapping[str, Any],
        options: Optional[Mapping[str, Any]] = None,
        slots: int = 4,
        pinned: bool = False,
    ) -> None:
        hello: Dict[str, Any] = {"op": "load", "dataset": dataset, "options": dict(options or {}), "slots": slots}
        if pinned:
            hello["pinned"] = True
        connection, answer, fds = engine.connect(hello)
        try:
            self._map = mmap.mmap(fds[0], answer["slab"], mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        except BaseException:
            connection.close()
            raise
        finally:
            for fd in fds:
                os.close(fd)
        self._engine_pid: int = answer["pid"]
        #: Batches that may be held at once.
        self.slots: int = answer["slots"]
        #: Of an epoch, on this rank.
        self.steps: int = answer["steps"]
        #: Of the dataset.
        self.samples: int = answer["samples"]
        self.fingerprint: str = answer["fingerprint"]
        #: Field name -> kind, dtype, shape.
        self.schema: Dict[str, Dict[str, Any]] = answer["schema"]
        self._state: Union[bytes, Dict[str, Any]] = answer["state"]
        self._link = _Link(connection)
        _links.add(self._link)
        weakref.finalize(self, self._link.close)
        self._layouts: Dict[int, _Layout] = {}
        self._buffer = b""
        self._at = 0
        #: Frames that came before the reply to a call.
        self._kept: Deque[_Frame] = deque()
        self._received = 0
        self._calls = 0
        self._iterating = False
        #: Releases sent when the engine had no memory left, and what it said.
        self._starved: Optional[Tuple[int, Dict[str, Any]]] = None

    def start(self) -> None:
        """Begins to make batches, without waiting for one; `next` does it where nobody did."""
        self._check_owner()
        if not self._iterating:
            self._iterating = True
            self._send(_START)

    def next(self) -> Optional[RawBatch]:
        """The next batch; None at the end of the iteration: the next call begins the next one.

        Starved where all batches, or all memory, are still referenced: it goes on as soon as some are not. EngineDied;
        HeadraceError of a sample that could not be had, after which the next call goes on behind the last batch.
        """
        self.start()
        link = self._link
        if len(link.held) >= self.slots:
            raise Starved(
                f"all {self.slots} batches are still referenced",
                {"hint": "copy what you keep, or allow more: slots=, which takes memory"},
            )
        if self._starved is not None and self._starved[0] == self._releases():
            raise Starved(self._starved[1]["message"], {"hint": self._starved[1].get("hint")})
        while True:
            kind, payload, layout = self._kept.popleft() if self._kept else self._frame()
            if layout is not None:
                return self._open(payload, layout)
            if kind == _END:
                self._iterating = False
                self._state = json.loads(payload)["state"]
                return None
            if kind == _ERROR:
                self._iterating = False
                told = json.loads(payload)
                raise error_of(told["code"], told["message"], told.get("details"), told.get("hint"))
            if kind == _STARVED:
                (count,) = _COUNT.unpack_from(payload)
                if count == self._releases():
                    self._starved = (count, json.loads(payload[4:]))
                    raise Starved(self._starved[1]["message"], {"hint": self._starved[1].get("hint")})

    def __iter__(self) -> Iterator[RawBatch]:
        while True:
            batch = self.next()
            if batch is None:
                return
            yield batch
            del batch

    def state(self) -> Dict[str, Any]:
        """Where the consumer stands: behind the last batch that `next` gave. JSON; for `resume` here or elsewhere."""
        if isinstance(self._state, bytes):
            self._state = json.loads(self._state)
        return dict(self._state)

    def set_epoch(self, epoch: int) -> None:
        """The epoch that `next` goes on with, from its beginning."""
        self._state = self._seek("setEpoch", epoch=epoch)["state"]

    def resume(self, state: Mapping[str, Any]) -> None:
        """Goes on behind a batch of before. E_STATE where the state is of another dataset or order."""
        reply = self._seek("resume", state=dict(state))
        self._state, self.steps = reply["state"], reply["steps"]

    def report(self) -> Dict[str, Any]:
        """Samples that were skipped or replaced until now, and what the loader measured of itself."""
        return self._call("report")["report"]

    def interrupt(self) -> None:
        """Ends the connection, from any thread: a `next` that waits throws EngineDied."""
        connection = self._link.socket
        if connection is not None:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it has ended already

    def close(self) -> None:
        """Ends the connection. Arrays that are still referenced stay as they are."""
        self._link.close()

    def __enter__(self) -> "Channel":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __reduce__(self) -> Any:
        raise TypeError("a channel belongs to one process: open one in each, with Engine.get()")

    def _check_owner(self) -> socket.socket:
        link = self._link
        if link.pid != os.getpid():
            raise HeadraceError(
                "E_STATE",
                f"this channel belongs to process {link.pid}, from which this one was forked",
                {"hint": "open one in each process"},
            )
        if link.socket is None:
            raise HeadraceError("E_STATE", "the channel is closed")
        return link.socket

    def _releases(self) -> int:
        return (self._received - len(self._link.held)) & 0xFFFFFFFF

    def _open(self, payload: bytes, layout: _Layout) -> RawBatch:
        number, _, begin, size, step, epoch, samples, padding, state_bytes = _HEAD.unpack_from(payload)
        self._received += 1
        end = _HEAD.size + state_bytes
        strings = json.loads(payload[end:]) if end < len(payload) else {}
        batch = RawBatch()
        batch.epoch, batch.step, batch.size, batch.padding = epoch, step, samples, padding
        batch._state = self._state = payload[_HEAD.size : end]
        link = self._link
        memory = batch.memory = None
        if size > 0:
            memory = (ctypes.c_ubyte * size).from_buffer(self._map, begin)
            batch.memory = ctypes.addressof(memory), size
            link.held[number] = _Lease(memory, link, number)
        else:
            link.release(number)
        batch.index = layout.index(memory)
        batch.fields = {name: make(memory, strings) for name, make in layout.fields}
        return batch

    def _died(self, error: Optional[BaseException] = None) -> EngineDied:
        held = len(self._link.held)
        told = "" if error is None else f": {error}"
        return EngineDied(
            f"the headrace engine (pid {self._engine_pid}) ended the connection while {held} batches were in use{told}"
        )

    def _send(self, kind: int, payload: bytes = b"") -> None:
        connection = self._check_owner()
        try:
            connection.sendall(_HEADER.pack(len(payload), kind) + payload)
        except OSError as error:
            raise self._died(error) from error

    def _frame(self) -> _Frame:
        """The next frame; layouts are taken on the way."""
        connection = self._check_owner()
        while True:
            buffer, at = self._buffer, self._at
            left = len(buffer) - at
            if left >= 8:
                length, kind = _HEADER.unpack_from(buffer, at)
                end = at + 8 + length
                if len(buffer) >= end:
                    self._at = end
                    payload = buffer[at + 8 : end]
                    if kind == _BATCH:
                        # Now: a later layout may get the same number.
                        return kind, payload, self._layouts[_COUNT.unpack_from(payload, 4)[0]]
                    if kind != _LAYOUT:
                        return kind, payload, None
                    self._layouts[_COUNT.unpack_from(payload)[0]] = _Layout(json.loads(payload[4:]))
                    continue
            try:
                piece = connection.recv(_PIECE)
            except ConnectionError as error:
                raise self._died(error) from error
            if not piece:
                raise self._died()
            self._buffer = buffer[at:] + piece if left > 0 else piece
            self._at = 0

    def _call(self, op: str, **arguments: Any) -> Dict[str, Any]:
        self._calls += 1
        call = self._calls
        self._send(_CALL, json.dumps({"id": call, "op": op, **arguments}).encode())
        while True:
            frame = self._frame()
            kind, payload, _ = frame
            if kind != _REPLY:
                self._kept.append(frame)
                continue
            reply = json.loads(payload)
            if reply["id"] != call:
                continue  # a call that was given up, by Ctrl-C
            if reply["ok"]:
                return reply
            raise error_of(reply["code"], reply["message"], reply.get("details"), reply.get("hint"))

    def _seek(self, op: str, **arguments: Any) -> Dict[str, Any]:
        reply = self._call(op, **arguments)
        for kind, payload, _ in self._kept:
            if kind == _BATCH:
                self._received += 1
                self._link.release(_HEAD.unpack_from(payload)[0])
        self._kept.clear()
        self._iterating = False
        self._starved = None
        return reply
