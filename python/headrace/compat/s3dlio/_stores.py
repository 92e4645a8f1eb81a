"""The stores that these functions work on: as the environment and `configure_s3` say."""

from __future__ import annotations

import asyncio
import functools
import os
import threading
from contextlib import contextmanager
from typing import Any, Awaitable, Callable, Dict, Iterator, Optional, Tuple, TypeVar

from ..._store import Store, local_url
from ...errors import HeadraceError

T = TypeVar("T")

#: What another store is opened for when it changes: the engine takes it from its environment.
_SETTINGS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_PROFILE",
    "AWS_CA_BUNDLE",
)


class ObjectNotFoundError(RuntimeError, FileNotFoundError):
    """There is no such object."""


class LengthMismatchError(ValueError):
    """An object has another number of bytes than there is room for."""


class UnsupportedOperationError(NotImplementedError):
    """The store of that URI has nothing of the kind."""


@contextmanager
def native_errors() -> Iterator[None]:
    """Errors of the engine as those of s3dlio: RuntimeError and its kinds. `__cause__` has code and details."""
    try:
        yield
    except HeadraceError as error:
        if error.code == "E_NOT_FOUND":
            raise ObjectNotFoundError(error.message) from error
        if error.code == "E_UNSUPPORTED":
            raise UnsupportedOperationError(error.message) from error
        raise RuntimeError(str(error)) from error


_lock = threading.Lock()
_configured: Dict[str, Any] = {}
_opened: Dict[Any, Tuple[Any, Store]] = {}


def configure_s3(
    endpoint_url: Optional[str] = None, region: Optional[str] = None, ca_bundle: Optional[str] = None
) -> None:
    """Where S3 is, for everything that is asked from now on; what is not given is as the environment says."""
    given = {"endpoint": endpoint_url, "region": region, "ca": ca_bundle}
    with _lock:
        _configured.clear()
        _configured.update({name: value for name, value in given.items() if value is not None})


def store(**s3: Any) -> Store:
    """The one store of these options; made anew where the environment has changed."""
    with _lock:
        options = {**_configured, **s3}
        seen = tuple(os.environ.get(name) for name in _SETTINGS)
        name = tuple(sorted((key, str(value)) for key, value in options.items()))
        known = _opened.get(name)
        if known is not None and known[0] == seen:
            return known[1]
        made = Store({"s3": options} if options else {})
        _opened[name] = (seen, made)
    if known is not None:
        known[1].close()
    return made


def url_of(uri: str) -> str:
    """The URI as the engine reads it: `s3://host:port/bucket/key` becomes a bucket with an endpoint."""
    if uri.startswith("gcs://"):
        return f"gs://{uri[len('gcs://'):]}"
    if uri.startswith("s3://"):
        server, _, rest = uri[len("s3://") :].partition("/")
        if ":" in server:
            return f"s3://{rest}?endpoint=http://{server}"
    return local_url(uri)


def in_background(function: Callable[..., T]) -> Callable[..., Awaitable[T]]:
    """The same call for programs with an event loop, on a thread of its own."""

    @functools.wraps(function)
    async def call(*arguments: Any, **named: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(None, functools.partial(function, *arguments, **named))

    call.__name__ = f"{function.__name__}_async"
    call.__qualname__ = call.__name__
    return call
