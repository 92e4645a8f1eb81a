"""DLIO's data sets for PyTorch."""

from __future__ import annotations

import os
from typing import Any, Dict, Iterator, Mapping, Optional, Union

import torch
from torch.utils.data import IterableDataset, get_worker_info

from .._checks import one_of
from .._streams import SampleStream
from ..batch import Batch
from ..readers import ObjectReader
from ..torch import TorchLoader
from .config import ConfigSource, DlioConfig, config_of
from .records import label_of, record_of

_RETURN_TYPES = ("tensor", "bytes", "reader")


class DlioPyTorchDataset(IterableDataset):
    """Records one by one, decoded: a tensor each, or with `labels` a pair of a tensor and a number.

    `return_type` is `tensor`, `bytes` or `reader` (a file of the record's bytes). Ranks and `DataLoader` workers share the
    records, so that each comes once. Options of the config's profile for PyTorch are the keys of `pytorch_config` too,
    which wins; keywords are options of a loader, and win over both.
    """

    def __init__(
        self,
        config_path: Optional[ConfigSource] = None,
        config_dict: Optional[Mapping[str, Any]] = None,
        data_folder: Optional[Union[str, "os.PathLike[str]"]] = None,
        pytorch_config: Optional[Mapping[str, Any]] = None,
        *,
        part: str = "train",
        labels: bool = False,
        return_type: Optional[str] = None,
        **options: Any,
    ) -> None:
        self.config = config_of(config_path, config_dict, data_folder)
        profile = {**self.config.profile("pytorch"), **(pytorch_config or {})}
        self._return_type = one_of("return_type", return_type or profile.get("return_type", "tensor"), _RETURN_TYPES)
        self._distributed = bool(profile.get("distributed", True))
        self._labels = bool(labels)
        self._options = self.config.options("pytorch", pytorch_config, **options)
        if "drop_last" not in options:
            # Batches are made by whoever takes the records.
            self._options = self._options.replace(drop_last=False)
        self._stream = SampleStream(self.config.dataset(part), self._options)

    @property
    def config_info(self) -> Dict[str, Any]:
        """The config as it was written, credentials left out."""
        return self.config.document

    @property
    def backend_type(self) -> str:
        return self.config.backend

    @property
    def format_type(self) -> Optional[str]:
        return self.config.format

    def __iter__(self) -> Iterator[Any]:
        rank, world_size = self._options.shard_of() if self._distributed else (0, 1)
        info = get_worker_info()
        workers, worker = (1, 0) if info is None else (info.num_workers, info.id)
        for batch, row in self._stream.rows((rank * workers + worker, world_size * workers)):
            sample = self._made(batch, row)
            yield (sample, label_of(batch, row)) if self._labels else sample

    def _made(self, batch: Batch, row: int) -> Any:
        array = record_of(batch, row, self.config.dtype)
        if self._return_type == "tensor":
            return torch.from_numpy(array)
        data = array.tobytes()
        return data if self._return_type == "bytes" else ObjectReader(data, str(int(batch.meta.index[row])))

    def set_epoch(self, epoch: int) -> None:
        """The next iteration is that epoch, from its beginning."""
        self._stream.set_epoch(epoch)

    def state_dict(self) -> Dict[str, Any]:
        """Where this worker stands: JSON."""
        return self._stream.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The next iteration goes on behind the record that the state is of."""
        self._stream.load_state_dict(state)


class DlioPyTorchDataLoader(TorchLoader):
    """Batches of records as tensors of shared memory: `data`, and `label` where the files have labels."""

    @classmethod
    def from_config(
        cls,
        config: ConfigSource,
        pytorch_config: Optional[Mapping[str, Any]] = None,
        *,
        part: str = "train",
        device: Any = None,
        **options: Any,
    ) -> "DlioPyTorchDataLoader":
        """Of a config's file or dict."""
        found = DlioConfig.open(config)
        return cls(found.dataset(part), found.options("pytorch", pytorch_config, **options), device)

    @classmethod
    def from_uri(
        cls, uri: str, pytorch_config: Optional[Mapping[str, Any]] = None, *, device: Any = None, **options: Any
    ) -> "DlioPyTorchDataLoader":
        """Of the files below a folder or URL."""
        found = DlioConfig.from_folder(uri)
        return cls(found.dataset(), found.options("pytorch", pytorch_config, **options), device)


def create_pytorch_dataset(source: ConfigSource, **options: Any) -> DlioPyTorchDataset:
    """`DlioPyTorchDataset` of a config or a folder."""
    return DlioPyTorchDataset(source, **options)


def create_pytorch_dataloader(source: ConfigSource, **options: Any) -> DlioPyTorchDataLoader:
    """`DlioPyTorchDataLoader` of a config or a folder."""
    return DlioPyTorchDataLoader.from_config(source, **options)


batches = create_pytorch_dataloader
