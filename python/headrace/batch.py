"""What a loader gives: a dict of arrays, and where it stands."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Tuple

import numpy as np


class BatchMeta(NamedTuple):
    """Which batch it is. `padding` samples only fill up the last one; they stand last."""

    epoch: int
    #: Counts from 0 in each epoch.
    step: int
    #: Samples.
    size: int
    padding: int
    #: Sample ids, int64 [size].
    index: Any


class StoredBytes(NamedTuple):
    """Stored bytes, a row a sample: `data` is uint8 [size, stride], zeros behind ``sizes[i]`` bytes of row i."""

    data: Any
    sizes: Any
    #: Pixels; 0 for bytes that are not images.
    heights: Any
    widths: Any

    def sample(self, i: int) -> Any:
        """The bytes of one sample, a view."""
        return self.data[i, : int(self.sizes[i])]

    def tolist(self) -> List[bytes]:
        """All samples, copied."""
        return [self.data[i, : int(size)].tobytes() for i, size in enumerate(self.sizes)]


class RaggedImages(NamedTuple):
    """Images of their own sizes, one behind the other from element ``offsets[i]`` on."""

    data: Any
    #: NHWC: image i is [height, width, 3]; NCHW: [3, height, width].
    layout: str
    offsets: Any
    heights: Any
    widths: Any

    def image(self, i: int) -> Any:
        """One image, a view."""
        height, width, start = int(self.heights[i]), int(self.widths[i]), int(self.offsets[i])
        pixels = self.data[start : start + height * width * 3]
        return pixels.reshape((height, width, 3) if self.layout == "NHWC" else (3, height, width))

    def images(self) -> Iterator[Any]:
        """All images, views."""
        return (self.image(i) for i in range(len(self.heights)))


class Batch(Dict[str, Any]):
    """Fields by name: arrays, lists of text, `StoredBytes`, `RaggedImages`, or a dict of views.

    Arrays are views of memory that the engine shares. A batch's memory goes back when its last array is gone; a consumer
    that keeps all its batches gets an error (E_LIMIT), so `copy()` what is to stay.
    """

    __slots__ = ("meta", "state")

    def __init__(self, fields: Mapping[str, Any], meta: BatchMeta, state: Mapping[str, Any]) -> None:
        super().__init__(fields)
        self.meta = meta
        #: Where a loader stands that has delivered this batch.
        self.state = state

    def copy(self) -> "Batch":
        """The same batch in memory of its own."""
        fields = {name: copy_field(value) for name, value in self.items()}
        return Batch(fields, self.meta._replace(index=_copied(self.meta.index)), dict(self.state))

    def __reduce__(self) -> Tuple[Any, ...]:
        return Batch, (dict(self), self.meta, dict(self.state))


def map_arrays(value: Any, change: Any) -> Any:
    """The field with `change` of each of its arrays; text stays."""
    if isinstance(value, np.ndarray):
        return change(value)
    if isinstance(value, StoredBytes):
        return StoredBytes(*(change(array) for array in value))
    if isinstance(value, RaggedImages):
        return RaggedImages(*(each if isinstance(each, str) else change(each) for each in value))
    if isinstance(value, dict):
        return {name: map_arrays(each, change) for name, each in value.items()}
    return value


def _copied(array: Any) -> Any:
    return array.copy() if isinstance(array, np.ndarray) else array.clone() if hasattr(array, "clone") else array


def copy_field(value: Any) -> Any:
    if isinstance(value, StoredBytes):
        return StoredBytes(*(_copied(array) for array in value))
    if isinstance(value, RaggedImages):
        return RaggedImages(*(_copied(each) for each in value))
    if isinstance(value, dict):
        return {name: copy_field(each) for name, each in value.items()}
    return list(value) if isinstance(value, list) else _copied(value)
