"""The engine: the Node process that loads and stores for this one. The protocol is in docs/bridge.md."""

from __future__ import annotations

import atexit
import json
import os
import select
import socket
import struct
import subprocess
import sys
import threading
import time
from typing import Any, Dict, List, Mapping, Optional, Tuple

from ._node import command
from ._version import __version__
from .errors import EngineDied, HeadraceError, error_of

PROTOCOL = 1

#: Node starts in a tenth of a second; a machine that is busy takes its time. Seconds.
_START_TIME = 60.0
#: How long an engine may take to end when it is told to, seconds.
_END_TIME = 3.0

#: Environment that an engine takes its settings and credentials from.
_SETTINGS = (
    "AWS_",
    "AZURE_",
    "GCE_",
    "GCS_",
    "GOOGLE_",
    "HEADRACE_",
    "NODE_",
    "SSL_",
    "STORAGE_",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
)
#: Bytes of a name in the abstract namespace as Node.js 20 makes it: filled with zeros. Later ones leave it as it is.
_WHOLE_NAME = 108
#: What is for this process and not for the engine.
_OWN = ("HEADRACE_ENGINE",)


def _settings() -> Dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.upper().startswith(_SETTINGS) and name not in _OWN}


class Engine:
    """An engine that this process started, or may use. ``Engine.get()`` is the one to use."""

    _lock = threading.Lock()
    #: What this process started, or inherited by a fork.
    _started: List["Engine"] = []
    _attached: Dict[str, "Engine"] = {}

    def __init__(self, address: str) -> None:
        name, mark, token = address.rpartition("#")
        if not mark or not name:
            raise HeadraceError("E_CONFIG", f"the address of an engine must be NAME#TOKEN, but got {name or address!r}")
        #: What other processes need to use it too: a name and a token, which is a secret.
        self.address = address
        self._path = "\0" + name[1:] if name.startswith("@") else name
        self._token = token
        self._process: Optional[subprocess.Popen] = None
        self._pipe: Optional[int] = None
        self._environment: Dict[str, str] = {}
        self._closed = False

    @classmethod
    def get(cls, address: Optional[str] = None) -> "Engine":
        """The engine of this process. `address`, or else $HEADRACE_ENGINE, names one that others started.

        Without either it is started when it is first asked for, and ends with this process. A forked child goes on to
        use its parent's. Where credentials or settings in the environment have changed, a new one is started.
        """
        address = address or os.environ.get("HEADRACE_ENGINE") or None
        with cls._lock:
            if address is not None:
                own = [engine for engine in cls._started if engine.address == address]
                if own:
                    return own[0]
                if address not in cls._attached:
                    cls._attached[address] = cls(address)
                return cls._attached[address]
            for engine in reversed(cls._started):
                if engine._serves():
                    return engine
            cls._started.append(cls._start())
            return cls._started[-1]

    @classmethod
    def _start(cls) -> "Engine":
        environment = _settings()
        reader, writer = os.pipe()
        try:
            # A session of its own: Ctrl-C is for this process, which decides when the engine ends.
            process = subprocess.Popen(
                command("engine"), stdin=reader, stdout=subprocess.PIPE, start_new_session=True, close_fds=True
            )
        except OSError as error:
            os.close(writer)
            raise HeadraceError("E_UNSUPPORTED", f"the engine does not start: {error}") from error
        except BaseException:
            os.close(writer)
            raise
        finally:
            os.close(reader)
        try:
            engine = cls(_first_line(process)["address"])
        except BaseException:
            os.close(writer)
            process.kill()
            process.wait()
            raise
        engine._process, engine._pipe, engine._environment = process, writer, environment
        return engine

    def _serves(self) -> bool:
        """Whether it is there, as far as this process can tell, and has the settings that the environment has now."""
        if self._closed or (self._process is not None and self._process.poll() is not None):
            return False
        return self._environment == _settings()

    @property
    def pid(self) -> Optional[int]:
        """Process id; None where another process started it."""
        return None if self._process is None else self._process.pid

    def connect(self, hello: Mapping[str, Any]) -> Tuple[socket.socket, Dict[str, Any], List[int]]:
        """A connection for what `hello` asks: the socket, the answer, and descriptors that came with it.

        EngineDied where there is no engine; HeadraceError where it refuses.
        """
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        fds: List[int] = []
        try:
            self._reach(connection)
            line = json.dumps({"protocol": PROTOCOL, "version": __version__, "token": self._token, **hello})
            try:
                connection.sendall(line.encode() + b"\n")
            except OSError:
                pass  # it may have said why it hung up
            answer = self._answer(connection, fds)
            if answer.get("ok") is not True:
                raise error_of(
                    str(answer.get("code")), str(answer.get("message")), answer.get("details"), answer.get("hint")
                )
            return connection, answer, fds
        except BaseException:
            connection.close()
            for fd in fds:
                os.close(fd)
            raise

    def _reach(self, connection: socket.socket) -> None:
        name = self._path.replace("\0", "@", 1)
        try:
            try:
                connection.connect(self._path)
            except ConnectionRefusedError:
                if not self._path.startswith("\0"):
                    raise
                connection.connect(self._path.ljust(_WHOLE_NAME, "\0"))
        except OSError as error:
            raise EngineDied(
                f"no headrace engine listens at {name}: {error}",
                {"hint": "the process that started it is gone; HEADRACE_ENGINE may name an old one"},
            ) from error
        # Another user may have taken the name of an engine that is gone: it must not see the token.
        if sys.platform == "linux":
            credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("iII"))
            _, user, _ = struct.unpack("iII", credentials)
            if user != os.getuid():
                raise HeadraceError("E_ACCESS", f"what listens at {name} is not an engine of this user (uid {user})")

    def _answer(self, connection: socket.socket, fds: List[int]) -> Dict[str, Any]:
        line = b""
        while not line.endswith(b"\n"):
            try:
                piece, more, _, _ = socket.recv_fds(connection, 1 << 16, 4, getattr(socket, "MSG_CMSG_CLOEXEC", 0))
            except ConnectionError:
                piece, more = b"", []
            for fd in more:
                os.set_inheritable(fd, False)
            fds.extend(more)
            if not piece:
                raise EngineDied(f"the headrace engine{_told(self.pid)} ended the connection before it answered")
            line += piece
        return json.loads(line)

    def close(self) -> None:
        """Ends an engine that this process started, and all that is connected to it. Others are left alone."""
        pipe, self._pipe = self._pipe, None
        process = self._process
        self._closed = process is not None
        if pipe is not None:
            os.close(pipe)
        if process is None or process.poll() is not None:
            return
        try:
            process.wait(_END_TIME)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def __reduce__(self) -> Tuple[Any, ...]:
        """In another process: the same engine."""
        return Engine.get, (self.address,)

    def __repr__(self) -> str:
        return f"<headrace engine {self._path.replace(chr(0), '@', 1)}>"


def _told(pid: Optional[int]) -> str:
    return "" if pid is None else f" (pid {pid})"


def _first_line(process: subprocess.Popen) -> Dict[str, Any]:
    """What the engine says when it is ready."""
    out = process.stdout
    assert out is not None
    line = b""
    end = time.monotonic() + _START_TIME
    try:
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([out], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                raise EngineDied(f"the headrace engine (pid {process.pid}) did not start within {_START_TIME:.0f} s")
            piece = os.read(out.fileno(), 1 << 16)
            if not piece:
                status = process.wait()
                raise EngineDied(f"the headrace engine ended before it was ready (exit status {status})")
            line += piece
    finally:
        out.close()
    said = json.loads(line)
    if "address" not in said:
        raise error_of(str(said.get("code")), str(said.get("message")), None, said.get("hint"))
    return said


def _at_exit() -> None:
    for engine in Engine._started:
        engine.close()


def _after_fork() -> None:
    """The child uses its parent's engine, and neither keeps it alive nor ends it."""
    Engine._lock = threading.Lock()
    for engine in Engine._started:
        if engine._pipe is not None:
            os.close(engine._pipe)
            engine._pipe = None
        if engine._process is not None:
            engine._process.returncode = 0  # of no interest here: it is no child of this process
            engine._process = None


atexit.register(_at_exit)
os.register_at_fork(after_in_child=_after_fork)
