"""TensorFlow: batches as tensors of shared memory, by DLPack and so without a copy, and as `tf.data`.

    for batch in headrace.tensorflow.load("photos.cache", batch_size=256, shuffle=True, image="train"):
        loss = step(batch["image"], batch["label"])
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator, Mapping, Optional, Union

try:
    import tensorflow as tf
except ImportError as error:
    raise ImportError("headrace.tensorflow needs TensorFlow: pip install tensorflow") from error

import numpy as np

from ._channel import RawBatch
from ._streams import ObjectStream
from .batch import Batch, RaggedImages, StoredBytes, map_arrays
from .datasets import Source, objects
from .loader import BaseLoader, Loader, batch_of
from .options import LoaderOptions, options_of

__all__ = ["TensorFlowLoader", "load", "make_dataset", "make_tf_dataset"]


def _tensor(array: "np.ndarray") -> Any:
    if array.size == 0:
        return tf.constant(array)
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())


class TensorFlowLoader(BaseLoader[Batch]):
    """Batches as dicts of tensors: see `load`."""

    def _wrap(self, raw: RawBatch) -> Batch:
        host = batch_of(raw)
        batch = Batch({name: map_arrays(value, _tensor) for name, value in host.items()}, host.meta, host.state)
        transform = self.options.active_transform
        return batch if transform is None else transform(batch)


def load(
    source: Source,
    options: Union[LoaderOptions, Mapping[str, Any], None] = None,
    **more: Any,
) -> TensorFlowLoader:
    """Batches of a source as eager tensors: `headrace.load` for TensorFlow. Nothing is copied; text is a list."""
    return TensorFlowLoader(source, options_of(options, more))


def make_dataset(
    source: Source,
    options: Union[LoaderOptions, Mapping[str, Any], None] = None,
    **more: Any,
) -> "tf.data.Dataset":
    """Batches of a source as a `tf.data.Dataset` of dicts, for `model.fit`. Each iteration is the next epoch.

    Batches are copied, once, for tf.data keeps as many as it likes; `load` copies nothing. Fields of text and arrays alone: no stored bytes,
    no pictures of their own sizes.
    """
    loader = Loader(source, options_of(options, more))
    signature: Dict[str, Any] = {}
    first = next(iter(loader))
    for name, value in first.items():
        if isinstance(value, (StoredBytes, RaggedImages, dict)):
            raise ValueError(f"field {name} is no array: give image operations with a crop, or leave it out with fields=")
        array = np.asarray(value) if isinstance(value, list) else value
        dtype = tf.string if isinstance(value, list) else tf.as_dtype(array.dtype)
        signature[name] = tf.TensorSpec([None, *array.shape[1:]], dtype)
    del first, value, array
    loader.close()
    start = {"epoch": loader.options.epoch_value, "resume": loader.options.resume_value}

    def generate() -> Iterator[Dict[str, Any]]:
        if start["resume"] is not None:
            loader.load_state_dict(start["resume"])
            start["resume"] = start["epoch"] = None
        elif start["epoch"] is not None:
            loader.set_epoch(start["epoch"])
            start["epoch"] = None
        for batch in loader:
            yield {name: value.copy() if isinstance(value, np.ndarray) else value for name, value in batch.items()}

    return tf.data.Dataset.from_generator(generate, output_signature=signature)


def make_tf_dataset(
    uri: str,
    *,
    map_fn: Optional[Callable[[Any], Any]] = None,
    **options: Any,
) -> "tf.data.Dataset":
    """The objects below `uri` as a `tf.data.Dataset` of tf.uint8 [None], one object each. Other keywords are options:
    shuffle, seed, prefetch, batch_size, reader_mode and so on; `batch_size` is how many come at once from the engine."""
    chosen = LoaderOptions(**options)
    stream = ObjectStream(objects(uri), chosen)

    def generate() -> Iterator[Any]:
        for data, _ in stream.samples(chosen.shard_of()):
            yield np.frombuffer(data, np.uint8)

    dataset = tf.data.Dataset.from_generator(generate, output_signature=tf.TensorSpec([None], tf.uint8))
    return dataset if map_fn is None else dataset.map(map_fn, num_parallel_calls=tf.data.AUTOTUNE)
