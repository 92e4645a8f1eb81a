"""Batches of a source, as NumPy arrays in shared memory."""

from __future__ import annotations

import os
from typing import Any, Callable, Dict, Generic, Iterator, List, Mapping, Optional, TypeVar, Union

from ._channel import Channel, RawBatch
from ._engine import Engine
from ._spawn import engine_for_child
from ._weights import handed_over
from .batch import Batch, BatchMeta
from .datasets import Source, spec_of
from .errors import HeadraceError
from .options import LoaderOptions, options_of

B = TypeVar("B")


class BaseLoader(Generic[B]):
    """One consumer of batches. Nothing is opened before the first batch, so that a loader may be pickled and forked:
    each process has a connection of its own.

    ``for batch in loader`` is one epoch; the next loop is the next one. A loop that was left early counts as one.
    """

    def __init__(self, source: Source, options: LoaderOptions) -> None:
        self.spec = spec_of(source)
        self.options = options
        self._engine_options = options.to_engine()
        self._resume: Optional[Dict[str, Any]] = options.resume_value
        self._epoch: int = options.epoch_value
        self._channel: Optional[Channel] = None
        #: Of the parent, where this came to a spawned process.
        self._engine: Optional[Engine] = None
        self._pid = os.getpid()
        self._forget: Callable[[], None] = lambda: None
        self._state: Optional[Mapping[str, Any]] = None
        #: An epoch that was begun and not come to its end.
        self._under_way = False

    # What subclasses make of a batch ---------------------------------------------------------------------------------

    def _wrap(self, raw: RawBatch) -> B:
        raise NotImplementedError

    def _opened(self, channel: Channel) -> None:
        """A connection was made."""

    def _pins(self) -> bool:
        """Whether the memory is to be registered with a device."""
        return False

    def _before_next(self) -> None:
        """Another batch is about to be waited for."""

    # Connection ------------------------------------------------------------------------------------------------------

    def _connected(self) -> Channel:
        if self._pid != os.getpid():
            # A forked child: the connection is the parent's.
            self._channel, self._pid, self._under_way = None, os.getpid(), False
        if self._channel is None:
            self._check_cancelled()
            options = dict(self._engine_options)
            options["epoch"] = self._epoch
            if self._resume is not None:
                options["resume"] = self._resume
                options.pop("epoch")
            with handed_over(options) as all_options:
                channel = Channel(self._engine or Engine.get(), self.spec, all_options, self.options.slots, self._pins())
            self._channel = channel
            self._resume = None
            self._state = channel.state()
            token = self.options.cancellation_token
            if token is not None:
                self._forget = token._listen(channel.interrupt)
            self._opened(channel)
        return self._channel

    def _check_cancelled(self) -> None:
        token = self.options.cancellation_token
        if token is not None and token.is_cancelled:
            raise HeadraceError("E_CANCELLED", "loading was cancelled")

    def close(self) -> None:
        """Ends the connection. Batches that were given out stay as they are."""
        channel, self._channel = self._channel, None
        self._forget()
        if channel is not None and self._pid == os.getpid():
            channel.close()

    def __enter__(self) -> "BaseLoader[B]":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __getstate__(self) -> Dict[str, Any]:
        state = {"spec": self.spec, "options": self.options, "at": self._position(), "engine": engine_for_child()}
        return {**state, **self._extra_state()}

    def _extra_state(self) -> Dict[str, Any]:
        return {}

    def _position(self) -> Dict[str, Any]:
        return {"resume": self._resume if self._state is None else dict(self._state), "epoch": self._epoch}

    def __setstate__(self, state: Dict[str, Any]) -> None:
        self._restore(state)

    def _restore(self, state: Mapping[str, Any], *more: Any) -> None:
        self.__init__(state["spec"], state["options"], *more)  # type: ignore[misc]
        self._resume, self._epoch = state["at"]["resume"], state["at"]["epoch"]
        self._engine = state["engine"]

    # Batches ---------------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        """Batches of a whole epoch on this rank."""
        return int(self._connected().steps)

    @property
    def num_samples(self) -> int:
        """Of the dataset."""
        return int(self._connected().samples)

    @property
    def schema(self) -> Mapping[str, Any]:
        """Fields of the dataset: kind, dtype, shape."""
        return self._connected().schema

    def __iter__(self) -> Iterator[B]:
        channel = self._connected()
        if self._under_way:
            self.set_epoch(self._epoch + 1)
        self._under_way = True
        return _Epoch(self, channel)

    def _next_of(self, channel: Channel) -> Optional[B]:
        """The next batch; None at the end of the epoch."""
        self._before_next()
        self._check_cancelled()
        try:
            raw = channel.next()
        except HeadraceError:
            self._check_cancelled()
            raise
        if raw is not None:
            self._epoch, self._state = raw.epoch, raw.state
            return self._wrap(raw)
        self._state = channel.state()
        self._epoch = int(self._state["epoch"])
        self._under_way = False
        return None

    def set_epoch(self, epoch: int) -> None:
        """The next loop is that epoch, from its beginning."""
        if self._channel is None or self._pid != os.getpid():
            self._epoch, self._resume, self._state = epoch, None, None
            return
        self._channel.set_epoch(epoch)
        self._epoch, self._under_way = epoch, False
        self._state = self._channel.state()

    def report(self) -> Mapping[str, Any]:
        """Samples that were skipped or replaced, worker threads, what auto_tune did."""
        return self._connected().report()

    # State -----------------------------------------------------------------------------------------------------------

    def state(self) -> Dict[str, Any]:
        """Where the loader stands, behind the last batch that the loop has got: a small JSON document."""
        if self._state is None:
            if self._resume is not None:
                return dict(self._resume)
            self._connected()
        assert self._state is not None
        return dict(self._state)

    state_dict = state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The next loop goes on behind the batch that the state is of. E_STATE where it is of something else."""
        self.close()
        self._resume, self._state, self._under_way = dict(state), None, False
        self._epoch = int(state.get("epoch", 0))


class _Epoch(Generic[B]):
    """The batches of an epoch. An error of one does not end it: who is starved lets go of something and goes on."""

    def __init__(self, loader: BaseLoader[B], channel: Channel) -> None:
        self._loader = loader
        self._channel: Optional[Channel] = channel

    def __iter__(self) -> Iterator[B]:
        return self

    def __next__(self) -> B:
        # Another connection of the loader has epochs of its own.
        if self._channel is None or self._channel is not self._loader._channel:
            raise StopIteration
        batch = self._loader._next_of(self._channel)
        if batch is None:
            self._channel = None
            raise StopIteration
        return batch


class Loader(BaseLoader[Batch]):
    """Batches as dicts of NumPy arrays, which are views of shared memory: see `Batch`."""

    def _wrap(self, raw: RawBatch) -> Batch:
        batch = batch_of(raw)
        transform = self.options.active_transform
        return batch if transform is None else transform(batch)


def batch_of(raw: RawBatch) -> Batch:
    # Ids are few bytes: who keeps them need not keep the batch.
    meta = BatchMeta(raw.epoch, raw.step, raw.size, raw.padding, raw.index.copy())
    return Batch(raw.fields, meta, raw.state)


def load(
    source: Source,
    options: Union[LoaderOptions, Mapping[str, Any], None] = None,
    **more: Any,
) -> Loader:
    """Batches of a source: a dataset of `headrace.datasets`, the path of an image cache, or a URL or folder of objects.

    Options are `LoaderOptions`, keywords of the same names, or both; a keyword wins. Images become what `image` or `views`
    say (`headrace.images`); without either the stored bytes come.
    """
    return Loader(source, options_of(options, more))


