"""PyTorch: batches as tensors of shared memory, and datasets of objects for `torch.utils.data.DataLoader`.

    for batch in headrace.torch.load("photos.cache", batch_size=256, shuffle=True, image="train", device="cuda"):
        loss = model(batch["image"], batch["label"])

A tensor here is a view of memory that the engine shares: it may be read and written, and goes back when it is gone.
"""

from __future__ import annotations

import warnings
import weakref
from collections import deque
from typing import Any, Deque, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

try:
    import torch
    from torch.utils.data import DataLoader, IterableDataset, get_worker_info
    from torch.utils.data import Dataset as TorchDataset
except ImportError as error:
    raise ImportError("headrace.torch needs PyTorch: pip install torch") from error

import numpy as np

from ._channel import Channel, RawBatch
from ._checks import one_of, refuse
from ._listing import list_below
from ._pinning import PinnedMemory
from ._rank import discover_rank
from ._spawn import engine_for_child
from ._store import Store, Where
from ._streams import ObjectStream
from .batch import Batch, map_arrays
from .datasets import Source, absolute_url, objects
from .loader import BaseLoader, batch_of
from .options import LoaderOptions, options_of
from .readers import ObjectReader

__all__ = [
    "ObjectStoreIterableDataset",
    "ObjectStoreMapDataset",
    "S3IterableDataset",
    "S3MapDataset",
    "TorchLoader",
    "data_loader",
    "load",
]

_RETURN_TYPES = ("tensor", "bytes", "reader")
#: NumPy types that some versions of PyTorch have no tensors of; their bits are given as the signed type.
_SIGNED = {"uint16": "int16", "uint32": "int32", "uint64": "int64"}


def _tensor(array: "np.ndarray") -> Any:
    try:
        return torch.from_numpy(array)
    except TypeError:
        return torch.from_numpy(array.view(_SIGNED[array.dtype.name]))


class TorchLoader(BaseLoader[Batch]):
    """Batches as dicts of tensors: see `load`."""

    def __init__(self, source: Source, options: LoaderOptions, device: Any = None) -> None:
        super().__init__(source, options)
        self._device = None if device is None else torch.device(device)
        self._pinned: Optional[PinnedMemory] = None
        self._unpin: Optional[weakref.finalize] = None
        #: Copies that may be under way, and the batches that they read.
        self._copies: Deque[Tuple[Any, Batch]] = deque()

    def _pins(self) -> bool:
        return bool(self.options.pin_memory_value) and torch.cuda.is_available()

    def _opened(self, channel: Channel) -> None:
        if not self.options.pin_memory_value or self._pinned is not None:
            return
        if not torch.cuda.is_available():
            warnings.warn("pin_memory: there is no CUDA device, so memory stays as it is", RuntimeWarning, stacklevel=4)
            return
        runtime = torch.cuda.cudart()
        self._pinned = PinnedMemory(runtime.cudaHostRegister, runtime.cudaHostUnregister)
        # Memory that is registered must not be unmapped.
        self._unpin = weakref.finalize(channel, self._pinned.close)

    def _pin(self, raw: RawBatch) -> None:
        if self._pinned is None or raw.memory is None:
            return
        status = self._pinned.pin(*raw.memory)
        if status != 0:
            self._pinned.close()
            self._pinned = None
            warnings.warn(f"pin_memory: CUDA refuses to register memory (error {status})", RuntimeWarning, stacklevel=4)

    @property
    def is_pinned(self) -> bool:
        """Whether CUDA knows the memory of batches, so that copies from it need not wait."""
        return self._pinned is not None

    def close(self) -> None:
        while self._copies:
            self._copies.popleft()[0].synchronize()
        if self._unpin is not None:
            self._unpin()
            self._unpin = self._pinned = None
        super().close()

    def _extra_state(self) -> Dict[str, Any]:
        return {"device": None if self._device is None else str(self._device)}

    def __setstate__(self, state: Dict[str, Any]) -> None:
        self._restore(state, state["device"])

    def _before_next(self) -> None:
        # The memory of a batch must not go back before the device has read it, and some must be left for the next one.
        while self._copies and (self._copies[0][0].query() or len(self._copies) >= self.options.slots - 1):
            self._copies[0][0].synchronize()
            self._copies.popleft()

    def _wrap(self, raw: RawBatch) -> Batch:
        self._pin(raw)
        host = batch_of(raw)
        tensors = Batch({name: map_arrays(value, _tensor) for name, value in host.items()}, host.meta, host.state)
        tensors.meta = host.meta._replace(index=_tensor(host.meta.index))
        batch = tensors if self._device is None or self._device.type == "cpu" else self._moved(tensors)
        transform = self.options.active_transform
        return batch if transform is None else transform(batch)

    def _moved(self, host: Batch) -> Batch:
        non_blocking = bool(self.options.non_blocking_value)

        def move(tensor: Any) -> Any:
            return tensor.to(self._device, non_blocking=non_blocking)

        moved = Batch({name: _map_tensors(value, move) for name, value in host.items()}, host.meta, host.state)
        if non_blocking and self._device is not None and self._device.type == "cuda":
            done = torch.cuda.Event()
            done.record(torch.cuda.current_stream(self._device))
            self._copies.append((done, host))
        return moved


def _map_tensors(value: Any, change: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, dict):
        return {name: _map_tensors(each, change) for name, each in value.items()}
    if isinstance(value, tuple):
        return type(value)(*(_map_tensors(each, change) for each in value))
    return value


def load(
    source: Source,
    options: Union[LoaderOptions, Mapping[str, Any], None] = None,
    *,
    device: Any = None,
    **more: Any,
) -> TorchLoader:
    """Batches of a source as tensors: `headrace.load` for PyTorch. Nothing is copied, unless `device` is another one.

    float16 stays float16; text is a list. With `pin_memory` the shared memory is registered with CUDA once, and with
    `non_blocking` copies to the device do not wait.
    """
    return TorchLoader(source, options_of(options, more), device)


# Objects for DataLoader -----------------------------------------------------------------------------------------------


class _Returns:
    """Makes of an object's bytes what `return_type` says."""

    def __init__(self, return_type: str, writable: bool, suppress_nonwritable_warning: bool) -> None:
        self.return_type = one_of("return_type", str(return_type).lower(), _RETURN_TYPES)
        self.writable = bool(writable)
        self.suppress = bool(suppress_nonwritable_warning)

    def __call__(self, data: bytes, key: str) -> Any:
        if self.return_type == "reader":
            return ObjectReader(data, key)
        buffer: Union[bytes, bytearray] = bytearray(data) if self.writable else data
        return buffer if self.return_type == "bytes" else self._tensor(buffer)

    def _tensor(self, buffer: Union[bytes, bytearray]) -> Any:
        if len(buffer) == 0:
            return torch.empty(0, dtype=torch.uint8)
        if self.writable or not self.suppress:
            return torch.frombuffer(buffer, dtype=torch.uint8)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*not writable.*")
            return torch.frombuffer(buffer, dtype=torch.uint8)


def _worker() -> Tuple[int, int]:
    info = get_worker_info()
    return (0, 1) if info is None else (info.id, info.num_workers)


class ObjectStoreIterableDataset(IterableDataset):
    """Objects below a URL, one by one: a uint8 tensor each, or `return_type="bytes"` or `"reader"` (a file of it).

    Works in `DataLoader` with any number of workers and any way to start them. With `enable_sharding` ranks and workers
    share the objects, so that each comes once; without it every worker gives all of them. Samples are in memory of their
    own and may be kept.

    `set_epoch` chooses the order of a shuffled epoch; where there are workers it is called before each, as with
    DistributedSampler. `state_dict` and `load_state_dict` are as StatefulDataLoader calls them.
    """

    def __init__(
        self,
        source: Source,
        options: Union[LoaderOptions, Mapping[str, Any], None] = None,
        *,
        loader_opts: Union[LoaderOptions, Mapping[str, Any], None] = None,
        enable_sharding: bool = False,
        writable: bool = False,
        suppress_nonwritable_warning: bool = True,
        return_type: str = "tensor",
    ) -> None:
        if options is not None and loader_opts is not None:
            refuse("options and loader_opts are the same: give one of them")
        chosen = options_of(options if loader_opts is None else loader_opts, {})
        self._returns = _Returns(return_type, writable, suppress_nonwritable_warning)
        self._enable_sharding = bool(enable_sharding)
        self._options = chosen
        self._stream = ObjectStream(source, chosen)

    @classmethod
    def from_prefix(
        cls,
        uri: str,
        *,
        enable_sharding: bool = False,
        writable: bool = False,
        suppress_nonwritable_warning: bool = True,
        return_type: str = "tensor",
        include: Union[str, Sequence[str], None] = None,
        exclude: Union[str, Sequence[str], None] = None,
        manifest: Optional[str] = None,
        **options: Any,
    ) -> "ObjectStoreIterableDataset":
        """The objects below `uri`. Other keywords are options: batch_size, drop_last, shuffle, seed, num_workers,
        prefetch, auto_tune, reader_mode, part_size, max_inflight_parts and so on."""
        return cls(
            objects(uri, include=include, exclude=exclude, manifest=manifest),
            LoaderOptions(**options),
            enable_sharding=enable_sharding,
            writable=writable,
            suppress_nonwritable_warning=suppress_nonwritable_warning,
            return_type=return_type,
        )

    def _shard(self) -> Tuple[int, int]:
        if not self._enable_sharding:
            return 0, 1
        options, (worker, workers) = self._options, _worker()
        if options.is_given("shard_rank") or options.is_given("shard_world_size"):
            rank, world_size = options.shard_rank, options.shard_world_size
        else:
            rank, world_size = discover_rank()
        if workers == 1 and options.num_workers_pytorch > 1:
            worker, workers = options.worker_id, options.num_workers_pytorch
        return rank * workers + worker, world_size * workers

    def __iter__(self) -> Iterator[Any]:
        returns = self._returns
        return (returns(data, key) for data, key in self._stream.samples(self._shard()))

    def set_epoch(self, epoch: int) -> None:
        """The next iteration is that epoch, from its beginning."""
        self._stream.set_epoch(epoch)

    def state_dict(self) -> Dict[str, Any]:
        """Where this worker stands: JSON."""
        return self._stream.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The next iteration goes on behind the sample that the state is of."""
        self._stream.load_state_dict(state)

    def close(self) -> None:
        """Ends the connection to the engine."""
        self._stream.close()


class ObjectStoreMapDataset(TorchDataset):
    """Objects below a URL by number, in the order of their keys: what `ObjectStoreIterableDataset` gives, for samplers.

    A `DataLoader` that asks for a batch has all its objects read at once. Negative numbers count from the end.
    """

    def __init__(
        self,
        uri: str,
        *,
        reader_mode: str = "sequential",
        part_size: int = 8 << 20,
        max_inflight_parts: int = 4,
        writable: bool = False,
        suppress_nonwritable_warning: bool = True,
        return_type: str = "tensor",
    ) -> None:
        LoaderOptions(reader_mode=reader_mode, part_size=part_size, max_inflight_parts=max_inflight_parts)
        self._uri = absolute_url(uri)
        self._ranges = reader_mode == "range"
        self._part_size, self._inflight = int(part_size), int(max_inflight_parts)
        self._returns = _Returns(return_type, writable, suppress_nonwritable_warning)
        self._store = Store()
        self._list: Optional[List[Tuple[str, Where]]] = None

    @classmethod
    def from_prefix(cls, uri: str, **options: Any) -> "ObjectStoreMapDataset":
        """The objects below `uri`."""
        return cls(uri, **options)

    def _listed(self) -> List[Tuple[str, Where]]:
        if self._list is None:
            self._list = list_below(self._store, self._uri)
        return self._list

    @property
    def keys(self) -> List[str]:
        """Below the URL, in the order of numbers."""
        return [key for key, _ in self._listed()]

    def __len__(self) -> int:
        return len(self._listed())

    def _at(self, index: int) -> Tuple[str, Where]:
        listed = self._listed()
        if not -len(listed) <= index < len(listed):
            raise IndexError(f"there are {len(listed)} objects below {self._uri}, but got {index}")
        return listed[index]

    def __getitem__(self, index: int) -> Any:
        key, where = self._at(index)
        return self._returns(self._read(where), key)

    def _read(self, where: Where) -> bytes:
        if not self._ranges:
            return self._store.get(where)
        return b"".join(self._store.stream(where, part_bytes=self._part_size, ahead=self._inflight))

    def __getitems__(self, indices: Sequence[int]) -> List[Any]:
        """A batch at once, as DataLoader asks for it."""
        chosen = [self._at(index) for index in indices]
        if self._ranges:
            return [self._returns(self._read(where), key) for key, where in chosen]
        found: List[Any] = [None] * len(chosen)
        for place, _, data in self._store.get_many([where for _, where in chosen]):
            found[place] = self._returns(data, chosen[place][0])
        return found

    def __getstate__(self) -> Dict[str, Any]:
        return {**self.__dict__, "_store": None, "_engine": engine_for_child()}

    def __setstate__(self, state: Dict[str, Any]) -> None:
        engine = state.pop("_engine")
        self.__dict__.update(state)
        self._store = Store(engine=engine)


S3IterableDataset = ObjectStoreIterableDataset
S3MapDataset = ObjectStoreMapDataset


def data_loader(dataset: Any, options: Union[LoaderOptions, Mapping[str, Any], None] = None, **more: Any) -> DataLoader:
    """A `DataLoader` of what options say of Python workers: `num_workers_pytorch`, `multiprocessing_context`,
    `persistent_workers`, `pin_memory`, `prefetch`, `timeout_seconds`, and batch_size, drop_last, shuffle of map datasets.

    Other keywords are `DataLoader`'s own and win. `num_workers_pytorch` of 1 reads in this process.
    """
    chosen = options_of(options, {})
    workers = chosen.num_workers_pytorch if chosen.num_workers_pytorch > 1 else 0
    keywords: Dict[str, Any] = {
        "batch_size": chosen.batch_size,
        "drop_last": chosen.drop_last_value,
        "num_workers": workers,
        "pin_memory": chosen.pin_memory_value and torch.cuda.is_available(),
    }
    if workers > 0:
        keywords["multiprocessing_context"] = chosen.multiprocessing_context_value
        keywords["persistent_workers"] = chosen.persistent_workers_value
        if chosen.prefetch_value > 0:
            keywords["prefetch_factor"] = chosen.prefetch_value
        if chosen.timeout_seconds is not None:
            keywords["timeout"] = chosen.timeout_seconds
    if not isinstance(dataset, IterableDataset) and chosen.shuffle_value:
        keywords["shuffle"] = True
        keywords["generator"] = torch.Generator().manual_seed(chosen.seed)
    if isinstance(dataset, (ObjectStoreIterableDataset, ObjectStoreMapDataset)) and dataset._returns.return_type != "tensor":
        keywords["collate_fn"] = list
    keywords.update(more)
    return DataLoader(dataset, **keywords)
