"""JAX: batches as arrays of shared memory, by DLPack and so without a copy.

    for batch in headrace.jax.load("photos.cache", batch_size=256, shuffle=True, image="train"):
        loss = step(params, batch["image"], batch["label"])

JAX takes arrays to be constant: do not write to the memory of a batch that it has.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator, Mapping, Optional, Union

try:
    import jax
except ImportError as error:
    raise ImportError("headrace.jax needs JAX: pip install jax") from error

import numpy as np

from ._channel import RawBatch
from ._streams import ObjectStream
from .batch import Batch, map_arrays
from .datasets import Source, objects
from .loader import BaseLoader, batch_of
from .options import LoaderOptions, options_of

__all__ = ["JaxIterable", "JaxLoader", "S3JaxIterable", "load"]

#: Without jax_enable_x64 JAX has no types of 64 bits, and would make others of them.
_WIDE = ("int64", "uint64", "float64")


def _array(array: "np.ndarray") -> Any:
    if array.size == 0 or (array.dtype.name in _WIDE and not jax.config.jax_enable_x64):
        return array
    return jax.dlpack.from_dlpack(array)


class JaxLoader(BaseLoader[Batch]):
    """Batches as dicts of JAX arrays: see `load`."""

    def __init__(self, source: Source, options: LoaderOptions, device: Any = None) -> None:
        super().__init__(source, options)
        self._device = device

    def _extra_state(self) -> Dict[str, Any]:
        # A device is one of this process: another one chooses among its own.
        return {"device": None}

    def _wrap(self, raw: RawBatch) -> Batch:
        host = batch_of(raw)
        batch = Batch({name: map_arrays(value, self._placed) for name, value in host.items()}, host.meta, host.state)
        transform = self.options.active_transform
        return batch if transform is None else transform(batch)

    def _placed(self, array: "np.ndarray") -> Any:
        placed = _array(array)
        if self._device is None or not isinstance(placed, jax.Array):
            return placed
        # The host's memory goes back when the batch is gone, so it must have been read by then.
        return jax.block_until_ready(jax.device_put(placed, self._device))


def load(
    source: Source,
    options: Union[LoaderOptions, Mapping[str, Any], None] = None,
    *,
    device: Any = None,
    **more: Any,
) -> JaxLoader:
    """Batches of a source as JAX arrays: `headrace.load` for JAX. Nothing is copied, unless `device` is another one.

    Numbers of 64 bits are NumPy arrays unless ``jax_enable_x64`` is on; text is a list.
    """
    return JaxLoader(source, options_of(options, more), device)


class JaxIterable:
    """Objects below a URL, one by one, as NumPy arrays of uint8, in memory of their own. Each loop is an epoch."""

    def __init__(
        self,
        source: Source,
        options: Union[LoaderOptions, Mapping[str, Any], None] = None,
        *,
        transform: Optional[Callable[[Any], Any]] = None,
        writable: bool = False,
    ) -> None:
        self._options = options_of(options, {})
        self._stream = ObjectStream(source, self._options)
        self._transform = transform
        self._writable = bool(writable)

    @classmethod
    def from_prefix(
        cls,
        uri: str,
        *,
        transform: Optional[Callable[[Any], Any]] = None,
        writable: bool = False,
        **options: Any,
    ) -> "JaxIterable":
        """The objects below `uri`. Other keywords are options: batch_size, shuffle, seed, prefetch, reader_mode and so on."""
        return cls(objects(uri), LoaderOptions(**options), transform=transform, writable=writable)

    def __iter__(self) -> Iterator[Any]:
        for data, _ in self._stream.samples(self._options.shard_of()):
            array = np.frombuffer(bytearray(data) if self._writable else data, np.uint8)
            yield array if self._transform is None else self._transform(array)

    def set_epoch(self, epoch: int) -> None:
        """The next loop is that epoch, from its beginning."""
        self._stream.set_epoch(epoch)

    def state_dict(self) -> Dict[str, Any]:
        """Where it stands: JSON."""
        return self._stream.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The next loop goes on behind the sample that the state is of."""
        self._stream.load_state_dict(state)

    def close(self) -> None:
        """Ends the connection to the engine."""
        self._stream.close()


S3JaxIterable = JaxIterable
