"""Objects for JAX and TensorFlow, one by one, as NumPy arrays that belong to the caller."""

from __future__ import annotations

from typing import Any, Callable, Iterator, Mapping, Optional, Union

import numpy as np

from ..._streams import ObjectStream
from ...datasets import objects
from ...options import LoaderOptions
from ._loaders import options_of
from ._stores import native_errors, url_of


class JaxIterable:
    """The objects below a URI: each a uint8 array of one dimension, or what `transform` makes of it.

    Arrays can be written to with `writable`; without it they are as the object is.
    """

    def __init__(
        self,
        uri: str,
        *,
        loader_opts: Union[LoaderOptions, Mapping[str, Any], None] = None,
        transform: Optional[Callable[["np.ndarray[Any, Any]"], Any]] = None,
        writable: bool = False,
    ) -> None:
        self._source = objects(url_of(uri if uri.endswith("/") else f"{uri}/"))
        self._options = options_of(loader_opts)
        self._transform = transform
        self._writable = writable

    @classmethod
    def from_prefix(
        cls,
        uri: str,
        *,
        transform: Optional[Callable[["np.ndarray[Any, Any]"], Any]] = None,
        writable: bool = False,
        **options: Any,
    ) -> "JaxIterable":
        """Other keywords are options: prefetch, num_workers, batch_size, drop_last, shuffle, seed, auto_tune, reader_mode,
        part_size, max_inflight_parts and so on."""
        return cls(uri, loader_opts=LoaderOptions(**options), transform=transform, writable=writable)

    def __iter__(self) -> Iterator[Any]:
        options = self._options
        shard = (options.shard_rank, options.shard_world_size)
        stream = ObjectStream(self._source, options)
        try:
            with native_errors():
                for data, _ in stream.samples(shard):
                    array = np.frombuffer(bytearray(data) if self._writable else data, dtype=np.uint8)
                    yield array if self._transform is None else self._transform(array)
        finally:
            stream.close()


S3JaxIterable = JaxIterable


def make_tf_dataset(
    uri: str,
    *,
    map_fn: Optional[Callable[[Any], Any]] = None,
    writable: bool = False,
    **options: Any,
) -> Any:
    """A `tf.data.Dataset` of the objects below a URI, each a uint8 tensor of one dimension, or what `map_fn` makes of it.

    Options as those of `JaxIterable.from_prefix`.
    """
    import tensorflow as tf

    source = JaxIterable.from_prefix(uri, writable=writable, **options)
    made = tf.data.Dataset.from_generator(
        lambda: iter(source), output_signature=tf.TensorSpec(shape=(None,), dtype=tf.uint8)
    )
    return made if map_fn is None else made.map(map_fn, num_parallel_calls=tf.data.AUTOTUNE)
