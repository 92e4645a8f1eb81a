"""Generated content: the bytes of test objects."""

from __future__ import annotations

import io
import os
import secrets
from typing import Any, Optional, Sequence

import numpy as np

from ._bytes import BytesView
from ._objects import create_bucket_of
from ._stores import in_background, native_errors, store, url_of

_KINDS = ("zeros", "random", "raw", "npz")
_MODES = ("streaming", "single-pass")
_SEEDS = 1 << 32


def _checked(dedup: int, compress: int) -> None:
    if dedup < 1 or compress < 1:
        raise ValueError(f"dedup and compress must be 1 or more, but are {dedup} and {compress}")


def generate_data(size: int, dedup: int = 1, compress: int = 1) -> BytesView:
    """`size` bytes that are different with every call; blocks are there `dedup` times, zstd makes 1/`compress` of them."""
    _checked(dedup, compress)
    with native_errors():
        return BytesView(store().content(size, secrets.randbelow(_SEEDS), dedup, compress))


def generate_into_buffer(buffer: Any, dedup: int = 1, compress: int = 1) -> int:
    """The same, where it is wanted; returns the bytes."""
    _checked(dedup, compress)
    view = memoryview(buffer).cast("B")
    with native_errors():
        store().content_into(view, secrets.randbelow(_SEEDS), dedup, compress)
    return len(view)


class Generator:
    """Content in pieces: `fill_chunk` until it returns 0. The same seed makes the same bytes."""

    def __init__(
        self,
        size: int,
        dedup: int = 1,
        compress: int = 1,
        chunk_size: Optional[int] = None,
        seed: Optional[int] = None,
    ) -> None:
        _checked(dedup, compress)
        self.chunk_size = 32 << 20 if chunk_size is None else chunk_size
        self._size = size
        self._dedup = dedup
        self._compress = compress
        self._seed = secrets.randbelow(_SEEDS) if seed is None else seed % _SEEDS
        self._at = 0

    def fill_chunk(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")[: self._size - self._at]
        if len(view) > 0:
            with native_errors():
                store().content_into(view, self._seed, self._dedup, self._compress, self._size, self._at)
            self._at += len(view)
        return len(view)

    def is_complete(self) -> bool:
        return self._at >= self._size

    def reset(self) -> None:
        self._at = 0


def put(
    prefix: str,
    num: int,
    template: Optional[str] = None,
    max_in_flight: int = 64,
    size: Optional[int] = None,
    should_create_bucket: bool = False,
    object_type: str = "zeros",
    dedup_factor: int = 1,
    compress_factor: int = 1,
    data_gen_mode: str = "streaming",
    chunk_size: int = 262144,
) -> None:
    """Writes `num` objects of `size` bytes (20 MiB), named by the template, in which `{}` is the number, then how many.

    Objects are `zeros`, `random` (or `raw`), each with bytes of its own, or `npz`. The engine makes them in pieces;
    `data_gen_mode` and `chunk_size` are checked, and change nothing that could be seen.
    """
    kind = object_type.lower()
    if kind not in _KINDS:
        raise ValueError(f"object_type must be one of {', '.join(_KINDS)}, but got {object_type!r}")
    if data_gen_mode not in _MODES or chunk_size < 1:
        raise ValueError(f"data_gen_mode must be one of {', '.join(_MODES)}, with a chunk_size of 1 or more")
    _checked(dedup_factor, compress_factor)
    names = _named(template or "object-{}", num)
    uris = [url_of(join(prefix, name)) for name in names]
    length = 20 << 20 if size is None else size
    with native_errors():
        if should_create_bucket:
            create_bucket_of(prefix)
        if kind in ("random", "raw"):
            store().generate_many(uris, length, secrets.randbelow(_SEEDS), dedup_factor, compress_factor, max_in_flight)
        else:
            data = bytes(length) if kind == "zeros" else generate_npz_bytes([max(1, length // 4)])
            store().put_many(((uri, data) for uri in uris), max_in_flight)


put_async = in_background(put)


def _named(template: str, num: int) -> Sequence[str]:
    holes = template.count("{}")
    if holes == 0 and num > 1:
        raise ValueError(f"the template of {num} objects needs a {{}} for their numbers, but is {template!r}")
    return [template.format(*([index, num][:holes])) for index in range(num)]


def join(prefix: str, name: str) -> str:
    """A name below a prefix, with one slash between."""
    return f"{prefix}{name}" if prefix.endswith("/") else f"{prefix}/{name}"


def generate_npz_bytes(shape: Sequence[int], dtype: str = "<f4", num_samples: int = 1) -> bytes:
    """An .npz with `data`, an array of random numbers: of `shape`, or [num_samples, *shape]."""
    whole = tuple(shape) if num_samples == 1 else (num_samples, *shape)
    kind = np.dtype(dtype)
    draws = np.random.default_rng()
    made = draws.random(whole).astype(kind) if kind.kind == "f" else draws.integers(0, 127, whole).astype(kind)
    out = io.BytesIO()
    np.savez(out, data=made)
    return out.getvalue()


def read_npz(uri: str, array_name: Optional[str] = None) -> "np.ndarray[Any, Any]":
    """An array of an .npz, as float32: the first, or the one of that name."""
    with native_errors():
        data = store().get(url_of(uri))
    with np.load(io.BytesIO(data)) as arrays:
        name = array_name or arrays.files[0]
        if name not in arrays.files:
            raise RuntimeError(f"{uri} has no array {name!r}; it has {', '.join(arrays.files)}")
        return arrays[name].astype(np.float32)


def py_total_cpus() -> int:
    return os.cpu_count() or 1
