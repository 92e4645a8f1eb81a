"""Samples one by one, out of batches: what the iterable datasets of all frameworks are."""

from __future__ import annotations

import os
from typing import Any, Dict, Iterator, Mapping, Optional, Tuple

from ._engine import Engine
from ._spawn import engine_for_child
from .batch import Batch, StoredBytes
from .datasets import Source
from .loader import Loader
from .options import LoaderOptions

#: Samples of one batch on its way here, where nobody asked for another number: many enough to cost little each.
_BATCH = 16


class SampleStream:
    """Samples one by one, each as its batch and row there; knows where it stands in the middle of a batch."""

    def __init__(self, source: Source, options: LoaderOptions) -> None:
        if not options.is_given("batch_size") or (options.batch_size < _BATCH and not options.drop_last_value):
            options = options.replace(batch_size=_BATCH)
        if not options.is_given("tail") and not options.drop_last_value:
            # Every sample once, whatever the number of ranks.
            options = options.replace(tail="short")
        self._source = source
        self._options = options
        self._loader: Optional[Loader] = None
        #: Of the parent, where this came to a spawned process.
        self._engine: Optional[Engine] = None
        self._pid = os.getpid()
        self._shard: Tuple[int, int] = (0, 1)
        self._batch_state: Optional[Mapping[str, Any]] = None
        self._row = 0
        #: Rows of the first batch that were given out before, where this goes on from a state.
        self._skip = 0
        self._epoch: Optional[int] = None

    def rows(self, shard: Tuple[int, int]) -> Iterator[Tuple[Batch, int]]:
        """One epoch of rank `shard[0]` among `shard[1]`. A row is to be used before the next one is asked for."""
        loader = self._loader_for(shard)
        if self._epoch is not None:
            loader.set_epoch(self._epoch)
            self._epoch = None
        skip, self._skip = self._skip, 0
        batches = iter(loader)
        before = loader.state()
        for batch in batches:
            for row in range(skip, batch.meta.size - batch.meta.padding):
                self._batch_state, self._row = before, row + 1
                yield batch, row
            skip, before = 0, batch.state
            del batch
        self._batch_state, self._row = loader.state(), 0

    def _loader_for(self, shard: Tuple[int, int]) -> Loader:
        if self._loader is None or self._pid != os.getpid() or self._shard != shard:
            rank, world_size = shard
            options = self._options.replace(shard_rank=rank, shard_world_size=world_size)
            self._loader, self._pid, self._shard = Loader(self._source, options), os.getpid(), shard
            self._loader._engine = self._engine
            if self._batch_state is not None:
                self._loader.load_state_dict(self._batch_state)
        return self._loader

    def set_epoch(self, epoch: int) -> None:
        self._epoch, self._batch_state, self._row, self._skip = epoch, None, 0, 0

    def state_dict(self) -> Dict[str, Any]:
        """JSON: the state of the loader before the batch that is being given out, and how much of it was."""
        state = None if self._batch_state is None else dict(self._batch_state)
        return {"version": 1, "loader": state, "row": self._row, "epoch": self._epoch}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.close()
        self._batch_state, self._row, self._epoch = state["loader"], int(state["row"]), state.get("epoch")
        self._skip = self._row

    def close(self) -> None:
        loader, self._loader = self._loader, None
        if loader is not None:
            loader.close()

    def __getstate__(self) -> Dict[str, Any]:
        return {"source": self._source, "options": self._options, "at": self.state_dict(), "engine": engine_for_child()}

    def __setstate__(self, state: Dict[str, Any]) -> None:
        self.__init__(state["source"], state["options"])  # type: ignore[misc]
        self.load_state_dict(state["at"])
        self._engine = state["engine"]


class ObjectStream(SampleStream):
    """(bytes, key) of each object, in memory of their own."""

    def samples(self, shard: Tuple[int, int]) -> Iterator[Tuple[bytes, str]]:
        """One epoch of rank `shard[0]` among `shard[1]`."""
        current, rows, sizes, keys = None, None, [], []
        for batch, row in self.rows(shard):
            if batch is not current:
                data: StoredBytes = batch["data"]
                current, rows, sizes, keys = batch, data.data, data.sizes.tolist(), batch["key"]
            yield rows[row, : sizes[row]].tobytes(), keys[row]
