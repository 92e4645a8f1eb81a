"""Objects below a URI, in batches or one after the other."""

from __future__ import annotations

import asyncio
import builtins
from typing import Any, AsyncIterator, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

from ...batch import StoredBytes
from ...datasets import objects
from ...loader import Loader
from ...options import LoaderOptions
from ._bytes import BytesView
from ._listing import list as list_uris
from ._listing import split_uri
from ._stores import native_errors, store, url_of

PyLoaderOptions = LoaderOptions

#: Objects that are asked for at once where the options do not say: those of a batch, and more while it is used.
_AHEAD = 32


def options_of(given: Union[LoaderOptions, Mapping[str, Any], None]) -> LoaderOptions:
    """Of a dict without a batch_size: batches of one object."""
    if isinstance(given, LoaderOptions):
        return given
    return LoaderOptions(**{"batch_size": 1, **(given or {})})


def folder_of(uri: str) -> str:
    """Objects are selected by a folder: all keys that begin with it."""
    return uri if uri.endswith("/") else f"{uri}/"


class PyObjectItem(NamedTuple):
    """An object, and which one it is."""

    uri: str
    data: BytesView

    @property
    def byte_count(self) -> int:
        return builtins.len(self.data)

    @property
    def bytes(self) -> BytesView:
        return self.data

    def __len__(self) -> int:
        return builtins.len(self.data)


class PyDataset:
    """The objects below a URI, or those that are named."""

    def __init__(self, uri: str, opts: Union[LoaderOptions, Mapping[str, Any], None] = None) -> None:
        self.options = options_of(opts)
        self.uri: Optional[str] = uri
        self._listed: Optional[List[str]] = None

    @classmethod
    def from_uris(
        cls, uris: Sequence[str], opts: Union[LoaderOptions, Mapping[str, Any], None] = None
    ) -> "PyDataset":
        made = cls.__new__(cls)
        made.options, made.uri, made._listed = options_of(opts), None, builtins.list(uris)
        return made

    def uris(self) -> List[str]:
        if self._listed is None:
            assert self.uri is not None
            self._listed = [uri for uri in list_uris(folder_of(self.uri), recursive=True) if not uri.endswith("/")]
        return builtins.list(self._listed)

    def keys(self) -> List[str]:
        """Without what stands before them in a URI."""
        return [split_uri(uri)[1] for uri in self.uris()]

    def __len__(self) -> int:
        return builtins.len(self.uris())

    def read(self, index: int) -> BytesView:
        with native_errors():
            return BytesView(store().get(url_of(self.uris()[index])))

    async def get_item(self, index: int) -> BytesView:
        return await asyncio.get_running_loop().run_in_executor(None, self.read, index)


def create_dataset(uri: str, opts: Union[LoaderOptions, Mapping[str, Any], None] = None) -> PyDataset:
    return PyDataset(uri, opts)


class PyBytesAsyncDataLoader:
    """``async for`` gives lists of a batch's objects, ``for`` gives objects, ``items()`` objects with their URIs.

    Order, shards, batches and how much is read ahead are as the options say; every object is memory of its own.
    """

    def __init__(
        self, dataset: Union[PyDataset, str], opts: Union[LoaderOptions, Mapping[str, Any], None] = None
    ) -> None:
        self._dataset = dataset if isinstance(dataset, PyDataset) else PyDataset(dataset, opts)
        self._options = self._dataset.options if opts is None else options_of(opts)

    def _batches(self) -> Iterator[List[Tuple[str, BytesView]]]:
        if self._dataset.uri is None:
            yield from self._named()
            return
        uri = folder_of(self._dataset.uri)
        options = self._options
        if not options.is_given("tail") and not options.drop_last_value:
            # Every object once, whatever the number of ranks.
            options = options.replace(tail="short")
        with native_errors(), Loader(objects(url_of(uri)), options) as loader:
            for batch in loader:
                data: StoredBytes = batch["data"]
                count = batch.meta.size - batch.meta.padding
                yield [(uri + batch["key"][row], BytesView(data.sample(row))) for row in range(count)]
                del batch, data

    def _named(self) -> Iterator[List[Tuple[str, BytesView]]]:
        """Those that were named, in their order."""
        uris = self._dataset.uris()
        size = self._options.batch_size
        batch: List[Tuple[str, BytesView]] = []
        with native_errors():
            ahead = max(size, self._options.prefetch_value or _AHEAD)
            for index, _, data in store().get_many([url_of(uri) for uri in uris], ahead):
                batch.append((uris[index], BytesView(data)))
                if builtins.len(batch) == size:
                    yield batch
                    batch = []
        if batch and not self._options.drop_last_value:
            yield batch

    def __iter__(self) -> Iterator[BytesView]:
        return (data for batch in self._batches() for _, data in batch)

    def items(self) -> "PyObjectDataLoaderSyncIter":
        return PyObjectDataLoaderSyncIter(PyObjectItem(uri, data) for batch in self._batches() for uri, data in batch)

    async def __aiter__(self) -> AsyncIterator[List[BytesView]]:
        loop = asyncio.get_running_loop()
        batches = self._batches()
        while True:
            batch = await loop.run_in_executor(None, next, batches, None)
            if batch is None:
                return
            yield [data for _, data in batch]


class PyObjectDataLoaderSyncIter:
    def __init__(self, items: Iterator[PyObjectItem]) -> None:
        self._items = items

    def __iter__(self) -> "PyObjectDataLoaderSyncIter":
        return self

    def __next__(self) -> PyObjectItem:
        return next(self._items)

    def collect_batch(self, n: int) -> List[PyObjectItem]:
        """The next `n`, fewer at the end, none behind it."""
        return [item for _, item in zip(range(n), self._items)]


def create_async_loader(
    uri: str, opts: Union[LoaderOptions, Mapping[str, Any], None] = None
) -> PyBytesAsyncDataLoader:
    """Options are `PyLoaderOptions`, or a dict of their names, whose batches are one object unless it says otherwise."""
    return PyBytesAsyncDataLoader(PyDataset(uri, opts))
