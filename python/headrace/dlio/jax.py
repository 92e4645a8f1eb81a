"""DLIO's data sets for JAX."""

from __future__ import annotations

import os
from typing import Any, Dict, Mapping, Optional, Union

from ..jax import JaxLoader
from .config import ConfigSource, config_of


class DlioJaxDataset:
    """Batches of records as JAX arrays of shared memory: dicts of `data`, and `label` where the files have labels.

    Options of the config's profile for JAX are the keys of `jax_config` too, which wins; keywords are options of a loader,
    and win over both.
    """

    def __init__(
        self,
        config_path: Optional[ConfigSource] = None,
        config_dict: Optional[Mapping[str, Any]] = None,
        data_folder: Optional[Union[str, "os.PathLike[str]"]] = None,
        jax_config: Optional[Mapping[str, Any]] = None,
        *,
        part: str = "train",
        **options: Any,
    ) -> None:
        self.config = config_of(config_path, config_dict, data_folder)
        self._options = self.config.options("jax", jax_config, **options)
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

    def create_iterable(self) -> JaxLoader:
        """Each loop is the next epoch."""
        return JaxLoader(self._dataset, self._options)


def batches(source: ConfigSource, **options: Any) -> JaxLoader:
    return DlioJaxDataset(source, **options).create_iterable()
