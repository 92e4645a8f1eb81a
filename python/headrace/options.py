"""Options of a loader: as keyword arguments, or as the fluent builder that users of s3dlio know."""

from __future__ import annotations

import functools
import inspect
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

from ._checks import boolean, integer, number, one_of, refuse
from ._rank import discover_rank
from .cancellation import CancellationToken

MIB = 1 << 20

_SAMPLERS = {
    "sequential": "sequential",
    "random": "random",
    "weighted": "weighted",
    "weighted_random": "weighted",
    "distributed": "distributed",
    "distributed_random": "distributed",
}
_SAMPLER_NAMES = {"weighted": "weighted_random", "distributed": "distributed_random"}
_MODES = {"sequential": "sequential", "ordered": "sequential", "async_pool": "async_pool", "as-completed": "async_pool"}
_FORMATS = {"auto": "auto", "channels_last": "channels_last", "channels_first": "channels_first"}
_FORMATS.update({"NHWC": "channels_last", "NCHW": "channels_first"})
_PAGE_CACHE = ("auto", "normal", "sequential", "random", "dontneed")


class PoolConfig(NamedTuple):
    """How `async_pool_loading` reads: samples in the order in which they come."""

    #: Samples that are read at once.
    pool_size: int = 64
    #: Batches ahead; a batch comes up to so many steps before its turn.
    readahead_batches: int = 4
    #: Seconds that a batch may take, where `timeout_seconds` says nothing.
    batch_timeout: float = 30.0
    #: Bounds `pool_size`.
    max_inflight: int = 256

    @classmethod
    def from_loader_options(cls, options: "LoaderOptions") -> "PoolConfig":
        """16 samples at once for each worker, and at least two batches ahead."""
        workers, ahead = options.num_workers_value, options.prefetch_value
        return cls(pool_size=max(1, workers) * 16, readahead_batches=max(2, ahead))


def _weights(value: Any) -> Tuple[float, ...]:
    try:
        return tuple(float(weight) for weight in value)
    except (TypeError, ValueError):
        return refuse(f"weights must be numbers, one a sample, but got {value!r}")


def _choice(choices: Mapping[str, str]) -> Callable[[str, Any], str]:
    return lambda name, value: choices[one_of(name, value, list(choices))]


def _optional(check: Callable[[str, Any], Any]) -> Callable[[str, Any], Any]:
    return lambda name, value: None if value is None else check(name, value)


def _at_least(least: int) -> Callable[[str, Any], int]:
    return lambda name, value: integer(name, value, least)


def _true_only(name: str, value: Any) -> bool:
    if boolean(name, value):
        return True
    return refuse(f"{name} must be True: sizes come with the listing or the first answer, so that no HEAD is ever sent")


def _names(name: str, value: Any) -> List[str]:
    if isinstance(value, str) or not all(isinstance(each, str) for each in value):
        return refuse(f"{name} must be a list of names, but got {value!r}")
    return [str(each) for each in value]


def _operations(name: str, value: Any) -> Any:
    if isinstance(value, (str, Mapping)):
        return value
    try:
        found = list(value)
    except TypeError:
        found = [None]
    if not all(isinstance(each, Mapping) and "op" in each for each in found):
        return refuse(f"{name} must be a list of image operations or the name of a pipeline, but got {value!r}")
    return [dict(each) for each in found]


def _views(name: str, value: Any) -> Dict[str, Any]:
    if not isinstance(value, Mapping):
        return refuse(f"{name} must be a dict of named operations, but got {value!r}")
    return {view: _operations(f"{name}[{view!r}]", operations) for view, operations in value.items()}


def _state(name: str, value: Any) -> Dict[str, Any]:
    if not isinstance(value, Mapping):
        return refuse(f"{name} must be a state of a loader, but got {value!r}")
    return dict(value)


def _tuning(name: str, value: Any) -> Any:
    if not isinstance(value, Mapping):
        return boolean(name, value)
    names = {"max_prefetch": "maxPrefetch", "max_inflight": "maxInflight", "max_workers": "maxWorkers"}
    for each in value:
        one_of(f"{name}: bound", each, list(names))
    return {names[each]: integer(f"{name}[{each!r}]", bound, 0) for each, bound in value.items()}


def _callable(name: str, value: Any) -> Any:
    return value if callable(value) else refuse(f"{name} must be a function of a batch, but got {value!r}")


def _token(name: str, value: Any) -> CancellationToken:
    return value if isinstance(value, CancellationToken) else refuse(f"{name} must be a CancellationToken, but got {value!r}")


class _Option(NamedTuple):
    default: Any
    check: Callable[[str, Any], Any]
    #: The engine's name, where the value goes there as it is.
    engine: Optional[str] = None


_OPTIONS: Dict[str, _Option] = {
    "batch_size": _Option(32, _at_least(1), "batchSize"),
    "drop_last": _Option(False, boolean),
    "tail": _Option(None, lambda name, value: one_of(name, value, ("short", "pad", "drop"))),
    "shuffle": _Option(False, boolean, "shuffle"),
    "seed": _Option(0, _at_least(0), "seed"),
    "generator_seed": _Option(None, _at_least(0), "generatorSeed"),
    "num_workers": _Option(0, _at_least(0), "workers"),
    "threads": _Option(None, _at_least(1), "threads"),
    "prefetch": _Option(0, _at_least(0)),
    "prefetch_bytes": _Option(None, _at_least(1), "prefetchBytes"),
    "ring_bytes": _Option(None, _at_least(1), "ringBytes"),
    "inflight": _Option(None, _at_least(1), "inflight"),
    "auto_tune": _Option(False, _tuning, "autoTune"),
    "loading_mode": _Option("sequential", _choice(_MODES)),
    "pool_size": _Option(64, _at_least(1)),
    "readahead_batches": _Option(4, _at_least(1)),
    "batch_timeout": _Option(30.0, number),
    "max_inflight": _Option(256, _at_least(1)),
    "reader_mode": _Option("sequential", lambda name, value: one_of(name, value, ("sequential", "range")), "readerMode"),
    "part_size": _Option(8 * MIB, _at_least(1)),
    "max_inflight_parts": _Option(4, _at_least(1)),
    "shard_rank": _Option(0, _at_least(0)),
    "shard_world_size": _Option(1, _at_least(1)),
    "worker_id": _Option(0, _at_least(0)),
    "num_workers_pytorch": _Option(1, _at_least(1)),
    "pin_memory": _Option(False, boolean),
    "non_blocking": _Option(False, boolean),
    "persistent_workers": _Option(False, boolean, "persistentWorkers"),
    "timeout_seconds": _Option(None, number),
    "multiprocessing_context": _Option("spawn", lambda name, value: one_of(name, value, ("spawn", "fork", "forkserver"))),
    "sampler_type": _Option("sequential", _choice(_SAMPLERS)),
    "sampler_replacement": _Option(None, boolean, "replacement"),
    "sampler_rank": _Option(None, _at_least(0)),
    "sampler_world_size": _Option(None, _at_least(1)),
    "weights": _Option(None, lambda name, value: _weights(value)),
    "samples": _Option(None, _at_least(1), "samples"),
    "window": _Option(None, _at_least(1), "window"),
    "locality": _Option("samples", lambda name, value: one_of(name, value, ("samples", "chunks")), "locality"),
    "memory_format": _Option("auto", _choice(_FORMATS)),
    "enable_transforms": _Option(False, boolean),
    "transform": _Option(None, _callable),
    "collate_buffer_size": _Option(1024, _at_least(1), "collateBufferSize"),
    "page_cache_mode": _Option("auto", lambda name, value: one_of(name, value.lower() if isinstance(value, str) else value, _PAGE_CACHE)),
    "cancellation_token": _Option(None, _token),
    "skip_head": _Option(True, _true_only),
    "epoch": _Option(0, _at_least(0), "epoch"),
    "resume": _Option(None, _state, "resume"),
    "fields": _Option(None, _names, "fields"),
    "image": _Option(None, _operations),
    "views": _Option(None, _views),
    "dtype": _Option(None, lambda name, value: one_of(name, value, ("uint8", "float16", "float32"))),
    "on_error": _Option("throw", lambda name, value: one_of(name, value, ("throw", "skip", "replace")), "onError"),
    "slots": _Option(4, _at_least(2)),
}

#: Other names of the same.
_ALIASES = {
    "rank": "shard_rank",
    "world_size": "shard_world_size",
    "replacement": "sampler_replacement",
    "timeout": "timeout_seconds",
    "inflight_parts": "max_inflight_parts",
}


class _Setting:
    """A value that is also the builder's method of its name: `options.num_workers` is 4, `options.num_workers(8)` sets it."""

    _apply: Callable[..., "LoaderOptions"]

    def __call__(self, *arguments: Any, **named: Any) -> "LoaderOptions":
        return self._apply(*arguments, **named)


class _Flag(_Setting, int):
    def __repr__(self) -> str:
        return repr(bool(self))

    __str__ = __repr__

    def __reduce__(self) -> Any:
        return bool, (bool(self),)


class _Whole(_Setting, int):
    def __reduce__(self) -> Any:
        return int, (int(self),)


class _Word(_Setting, str):
    def __reduce__(self) -> Any:
        return str, (str(self),)


def _as_setting(value: Any, apply: Callable[..., "LoaderOptions"]) -> Any:
    kind = _Flag if isinstance(value, bool) else _Whole if isinstance(value, int) else _Word
    found = kind(value)
    found._apply = apply
    return found


class _Builder:
    """A method of the builder whose name is also that of a readable value."""

    def __init__(self, method: Callable[..., "LoaderOptions"]) -> None:
        self._method = method
        self.__doc__ = method.__doc__
        self.__signature__ = inspect.signature(method)

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, options: Optional["LoaderOptions"], owner: Optional[type] = None) -> Any:
        if options is None:
            return self
        value = options._value(self._name)
        if isinstance(value, dict):
            value = True  # auto_tune with bounds
        return _as_setting(value, functools.partial(self._method, options))


class LoaderOptions:
    """What a loader does; never changed: every method gives new options.

    Each option is a keyword (``LoaderOptions(batch_size=256, shuffle=True)``), a readable property, and, under the names of
    s3dlio, a method of a builder (``LoaderOptions().with_batch_size(256).shuffle(True, 42)``). Where a method has the name
    of an option the property is both: ``options.prefetch == 8`` and ``options.prefetch(16)``; `prefetch_value` is the
    plain number. docs/loader.md has a table of meanings, defaults and effects.

    E_USAGE for what there is not.
    """

    __slots__ = ("_given",)

    def __init__(self, **options: Any) -> None:
        given: Dict[str, Any] = {}
        for key, value in options.items():
            name = _ALIASES.get(key, key)
            if name not in _OPTIONS:
                refuse(f"LoaderOptions has no option {key!r}; it has {', '.join(_OPTIONS)}")
            if name in given:
                refuse(f"LoaderOptions: {key!r} and {name!r} are the same option")
            # None stands for an option that is not given.
            if value is not None:
                given[name] = _OPTIONS[name].check(name, value)
        self._given = given

    def replace(self, **options: Any) -> "LoaderOptions":
        """These options with some others in their place; None takes one away."""
        changed = LoaderOptions(**options)
        named = {_ALIASES.get(key, key) for key in options}
        # What becomes of the last batch is said by either.
        named |= {"tail"} if "drop_last" in named else {"drop_last"} if "tail" in named else set()
        merged = LoaderOptions()
        merged._given = {**{name: value for name, value in self._given.items() if name not in named}, **changed._given}
        return merged

    def _value(self, name: str) -> Any:
        value = self._given.get(name, _OPTIONS[name].default)
        return _SAMPLER_NAMES.get(value, value) if name == "sampler_type" else value

    def is_given(self, name: str) -> bool:
        """Whether the option was set, to its default or otherwise."""
        return _ALIASES.get(name, name) in self._given

    def to_dict(self) -> Dict[str, Any]:
        """Every option by name, defaults included."""
        return {name: self._value(name) for name in _OPTIONS}

    def __getattr__(self, name: str) -> Any:
        """Plain values: `batch_size`, `shard_rank`, …, and `NAME_value` for each of them."""
        plain = name[: -len("_value")] if name.endswith("_value") else name
        if plain in _OPTIONS:
            return self._value(plain)
        raise AttributeError(f"LoaderOptions has no option {name!r}")

    def __dir__(self) -> List[str]:
        return sorted({*super().__dir__(), *_OPTIONS, *(f"{name}_value" for name in _OPTIONS)})

    def __eq__(self, other: object) -> bool:
        return self._given == other._given if isinstance(other, LoaderOptions) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"LoaderOptions({', '.join(f'{name}={value!r}' for name, value in self._given.items())})"

    def __getstate__(self) -> Dict[str, Any]:
        if "cancellation_token" in self._given:
            # It is told by this process, which another cannot hear.
            return {name: value for name, value in self._given.items() if name != "cancellation_token"}
        return self._given

    def __setstate__(self, given: Dict[str, Any]) -> None:
        self._given = given

    # The builder -----------------------------------------------------------------------------------------------------

    def with_batch_size(self, size: int) -> "LoaderOptions":
        """Samples per rank and step."""
        return self.replace(batch_size=size)

    @_Builder
    def drop_last(self, yes: bool = True) -> "LoaderOptions":
        """Leaves out a last batch that is not full."""
        return self.replace(drop_last=yes)

    @_Builder
    def shuffle(self, on: bool = True, seed: Optional[int] = None) -> "LoaderOptions":
        """Another order each epoch, which follows from the seed."""
        return self.replace(shuffle=on, **({} if seed is None else {"seed": seed}))

    @_Builder
    def num_workers(self, n: int) -> "LoaderOptions":
        """Threads of the engine that read and parse."""
        return self.replace(num_workers=n)

    @_Builder
    def prefetch(self, n: int) -> "LoaderOptions":
        """Batches ahead; 0 leaves it to the engine (2)."""
        return self.replace(prefetch=n)

    @_Builder
    def auto_tune(self, on: Union[bool, Mapping[str, int]] = True) -> "LoaderOptions":
        """Moves prefetch, requests in flight and workers while it runs; or bounds: max_prefetch, max_inflight, max_workers."""
        return self.replace(auto_tune=on)

    def with_adaptive(self) -> "LoaderOptions":
        """`auto_tune` under its other name."""
        return self.replace(auto_tune=True)

    def with_adaptive_config(self, bounds: Mapping[str, int]) -> "LoaderOptions":
        """`auto_tune` within bounds."""
        return self.replace(auto_tune=bounds)

    @_Builder
    def reader_mode(self, mode: str) -> "LoaderOptions":
        """`sequential`: an object in one request; `range`: in requests of `part_size` bytes."""
        return self.replace(reader_mode=mode)

    @_Builder
    def part_size(self, size: int) -> "LoaderOptions":
        """Bytes of a request, with reader_mode `range`."""
        return self.replace(part_size=size)

    @_Builder
    def max_inflight_parts(self, n: int) -> "LoaderOptions":
        """Requests of one object at once, with reader_mode `range`."""
        return self.replace(max_inflight_parts=n)

    def shard(self, rank: int, world_size: int) -> "LoaderOptions":
        """This process among those that share the samples; else as the launcher says."""
        return self.replace(shard_rank=rank, shard_world_size=world_size)

    def worker(self, worker_id: int, num_workers: int) -> "LoaderOptions":
        """This process among the workers of its rank, which share the rank's samples."""
        return self.replace(worker_id=worker_id, num_workers_pytorch=num_workers)

    def sequential_loading(self) -> "LoaderOptions":
        """Batches in the order that the seed says."""
        return self.replace(loading_mode="sequential")

    def async_pool_loading(self) -> "LoaderOptions":
        """Batches in the order in which they are ready."""
        return self.replace(loading_mode="async_pool")

    def async_pool_loading_with_config(self, config: PoolConfig) -> "LoaderOptions":
        """The same, with how many samples and batches at once."""
        return self.replace(loading_mode="async_pool", **config._asdict())

    @_Builder
    def pin_memory(self, pin: bool = True) -> "LoaderOptions":
        """Registers the shared memory with CUDA, once (`headrace.torch`)."""
        return self.replace(pin_memory=pin)

    @_Builder
    def non_blocking(self, on: bool = True) -> "LoaderOptions":
        """Copies to the device do not wait (`headrace.torch`, with `device`)."""
        return self.replace(non_blocking=on)

    @_Builder
    def persistent_workers(self, persistent: bool = True) -> "LoaderOptions":
        """Workers stay from one epoch to the next."""
        return self.replace(persistent_workers=persistent)

    def with_timeout(self, seconds: float) -> "LoaderOptions":
        """Seconds that a batch may take; the error names the slow keys."""
        return self.replace(timeout_seconds=seconds)

    @_Builder
    def multiprocessing_context(self, method: str) -> "LoaderOptions":
        """How Python workers start: `spawn`, `fork` or `forkserver` (`headrace.torch.data_loader`)."""
        return self.replace(multiprocessing_context=method)

    def use_spawn(self) -> "LoaderOptions":
        """Python workers start by spawn."""
        return self.replace(multiprocessing_context="spawn")

    def use_fork(self) -> "LoaderOptions":
        """Python workers start by fork, which is safe: no thread and no socket of ours is in use there."""
        return self.replace(multiprocessing_context="fork")

    def use_forkserver(self) -> "LoaderOptions":
        """Python workers start by forkserver."""
        return self.replace(multiprocessing_context="forkserver")

    @_Builder
    def sampler_type(self, name: str) -> "LoaderOptions":
        """`sequential`, `random`, `weighted_random` or `distributed_random`; overrides shuffle."""
        return self.replace(sampler_type=name)

    def random_sampling(self, replacement: bool = False) -> "LoaderOptions":
        """Every sample once in random order, or as many draws with replacement."""
        return self.replace(sampler_type="random", sampler_replacement=replacement)

    def weighted_sampling(self, weights: Sequence[float], replacement: bool = True) -> "LoaderOptions":
        """Samples by weight, one number of 0 or more a sample."""
        return self.replace(sampler_type="weighted_random", weights=weights, sampler_replacement=replacement)

    def distributed_sampling(self, rank: int, world_size: int) -> "LoaderOptions":
        """Random order, of which every rank has as many samples."""
        return self.replace(sampler_type="distributed_random", sampler_rank=rank, sampler_world_size=world_size)

    @_Builder
    def memory_format(self, name: str) -> "LoaderOptions":
        """Of images: `channels_last` (NHWC), `channels_first` (NCHW), or `auto`, which is channels_last."""
        return self.replace(memory_format=name)

    def channels_last(self) -> "LoaderOptions":
        """Images are [batch, height, width, 3]."""
        return self.replace(memory_format="channels_last")

    def channels_first(self) -> "LoaderOptions":
        """Images are [batch, 3, height, width]."""
        return self.replace(memory_format="channels_first")

    def with_generator_seed(self, seed: int) -> "LoaderOptions":
        """The seed of random operations, where it is not `seed`."""
        return self.replace(generator_seed=seed)

    @_Builder
    def enable_transforms(self, enable: bool = True) -> "LoaderOptions":
        """False: image operations and `transform` are left away; stored bytes come."""
        return self.replace(enable_transforms=enable)

    @_Builder
    def collate_buffer_size(self, size: int) -> "LoaderOptions":
        """Samples held for batches that are not complete."""
        return self.replace(collate_buffer_size=size)

    def with_page_cache_mode(self, mode: str) -> "LoaderOptions":
        """What the page cache is told of local files: auto, normal, sequential, random or dontneed."""
        return self.replace(page_cache_mode=mode)

    def with_cancellation(self, token: CancellationToken) -> "LoaderOptions":
        """`token.cancel()` ends loading with E_CANCELLED."""
        return self.replace(cancellation_token=token)

    def without_cancellation(self) -> "LoaderOptions":
        """Loading is not to be cancelled."""
        return self.replace(cancellation_token=None)

    # Presets ---------------------------------------------------------------------------------------------------------

    def gpu_optimized(self) -> "LoaderOptions":
        """Pinned memory, copies that do not wait, workers that stay and start by spawn, channels first."""
        return self.replace(
            pin_memory=True,
            persistent_workers=True,
            non_blocking=True,
            memory_format="channels_first",
            multiprocessing_context="spawn",
        )

    def distributed_optimized(self, rank: int, world_size: int) -> "LoaderOptions":
        """`gpu_optimized` for one rank of several."""
        return self.gpu_optimized().distributed_sampling(rank, world_size).shard(rank, world_size)

    def debug_mode(self) -> "LoaderOptions":
        """Everything in the engine's one thread, and 10 seconds a batch."""
        return self.replace(num_workers=0, timeout_seconds=10.0)

    # For the engine --------------------------------------------------------------------------------------------------

    def shard_of(self) -> "tuple[int, int]":
        """(rank, world size) of this process, Python workers counted as ranks. As the launcher says where nothing is set."""
        given = self._given
        if "shard_rank" in given or "shard_world_size" in given:
            rank, size = self.shard_rank, self.shard_world_size
        elif "sampler_world_size" in given or "sampler_rank" in given:
            rank, size = given.get("sampler_rank", 0), given.get("sampler_world_size", 1)
        else:
            rank, size = discover_rank()
        worker, workers = self.worker_id, self.num_workers_pytorch
        if rank >= size:
            refuse(f"rank must be less than the world size ({size}), but got {rank}")
        if worker >= workers:
            refuse(f"worker_id must be less than num_workers_pytorch ({workers}), but got {worker}")
        return rank * workers + worker, size * workers

    def to_engine(self) -> Dict[str, Any]:
        """The options of the engine's `load`, in its names."""
        given = self._given
        found = {option.engine: given[name] for name, option in _OPTIONS.items() if option.engine and name in given}
        found["rank"], found["worldSize"] = self.shard_of()
        tail = self._tail()
        if tail is not None:
            found["tail"] = tail
        if "weights" in given:
            found["weights"] = list(given["weights"])
        if "sampler_type" in given:
            found["sampler"] = given["sampler_type"]
        if given.get("prefetch"):
            found["prefetch"] = given["prefetch"]
        if given.get("reader_mode") == "range":
            # In the sequential mode parts mean nothing, as in s3dlio, whose defaults name them all the same.
            found["partSize"], found["inflightParts"] = self._value("part_size"), self._value("max_inflight_parts")
        if "timeout_seconds" in given:
            found["timeout"] = given["timeout_seconds"] * 1000
        if given.get("loading_mode") == "async_pool":
            self._add_pool(found)
        if "page_cache_mode" in given:
            mode = given["page_cache_mode"]
            found["pageCache"] = "dontNeed" if mode == "dontneed" else mode
        self._add_images(found)
        return found

    def _tail(self) -> Optional[str]:
        tail = self._given.get("tail")
        if not self._given.get("drop_last"):
            return tail
        if tail not in (None, "drop"):
            refuse(f"drop_last and tail {tail!r} exclude each other")
        return "drop"

    def _add_pool(self, found: Dict[str, Any]) -> None:
        found["mode"] = "as-completed"
        found.setdefault("prefetch", self.readahead_batches)
        found.setdefault("inflight", min(self.pool_size, self.max_inflight))
        found.setdefault("timeout", self.batch_timeout * 1000)

    def _add_images(self, found: Dict[str, Any]) -> None:
        given = self._given
        if given.get("enable_transforms") is False:
            return
        operations = {name: given[name] for name in ("image", "views") if name in given}
        found.update(operations)
        if not operations:
            if "dtype" in given:
                found["dtype"] = given["dtype"]  # The engine says what it needs.
            return
        if "dtype" in given:
            found["dtype"] = given["dtype"]
        layout = {"channels_first": "NCHW", "channels_last": "NHWC"}.get(self._value("memory_format"))
        if layout is not None:
            found["layout"] = layout

    @property
    def active_transform(self) -> Optional[Callable[[Any], Any]]:
        """`transform`, unless `enable_transforms` is off."""
        return None if self._given.get("enable_transforms") is False else self._given.get("transform")


def options_of(options: Union[LoaderOptions, Mapping[str, Any], None], more: Mapping[str, Any]) -> LoaderOptions:
    """Options and keywords together; a keyword wins."""
    if options is None:
        base = LoaderOptions()
    elif isinstance(options, LoaderOptions):
        base = options
    elif isinstance(options, Mapping):
        base = LoaderOptions(**options)
    else:
        base = refuse(f"options must be LoaderOptions or a dict, but got {options!r}")
    return base.replace(**more) if more else base
