"""DLIO's data sets for TensorFlow."""

from __future__ import annotations

import os
from typing import Any, Dict, Mapping, Optional, Union

import tensorflow as tf

from ..tensorflow import make_dataset
from .config import ConfigSource, config_of


class DlioTensorFlowDataset:
    """Batches of records as a `tf.data.Dataset`: tensors, or with `labels` pairs of tensors and labels.

    Options of the config's profile for TensorFlow are the keys of `tensorflow_config` too, which wins; keywords are
    options of a loader, and win over both.
    """

    def __init__(
        self,
        config_path: Optional[ConfigSource] = None,
        config_dict: Optional[Mapping[str, Any]] = None,
        data_folder: Optional[Union[str, "os.PathLike[str]"]] = None,
        tensorflow_config: Optional[Mapping[str, Any]] = None,
        *,
        part: str = "train",
        labels: bool = False,
        **options: Any,
    ) -> None:
        self.config = config_of(config_path, config_dict, data_folder)
        self._labels = bool(labels)
        self._options = self.config.options("tensorflow", tensorflow_config, **options)
        if not self._labels:
            self._options = self._options.replace(fields=["data"])
        self._dataset = self.config.dataset(part)

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

    def create_dataset(self) -> "tf.data.Dataset":
        """Each iteration is the next epoch."""
        made = make_dataset(self._dataset, self._options)
        if self._labels:
            return made.map(lambda batch: (batch["data"], batch["label"]))
        return made.map(lambda batch: batch["data"])


def batches(source: ConfigSource, **options: Any) -> "tf.data.Dataset":
    return DlioTensorFlowDataset(source, **options).create_dataset()
