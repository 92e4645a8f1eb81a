"""Data sets of DLIO and dl-driver, by their configs, decoded: for PyTorch, TensorFlow and JAX.

    loader = headrace.dlio.create_dataloader("unet3d.yaml", framework="pytorch")

Configs are YAML files of either dialect, dicts, or just the folder or URL that the files are in.
"""

from __future__ import annotations

import importlib
from typing import Any

from .config import DlioConfig
from .frameworks import FRAMEWORKS, create_dataloader, get_framework_info, list_available_frameworks

__all__ = [
    "DlioConfig",
    "DlioJaxDataset",
    "DlioPyTorchDataLoader",
    "DlioPyTorchDataset",
    "DlioTensorFlowDataset",
    "FRAMEWORKS",
    "create_dataloader",
    "create_pytorch_dataloader",
    "create_pytorch_dataset",
    "get_framework_info",
    "list_available_frameworks",
]

#: Loaded where they are asked for: each needs its framework.
_MODULES = {
    "DlioJaxDataset": ".jax",
    "DlioPyTorchDataLoader": ".pytorch",
    "DlioPyTorchDataset": ".pytorch",
    "DlioTensorFlowDataset": ".tensorflow",
    "create_pytorch_dataloader": ".pytorch",
    "create_pytorch_dataset": ".pytorch",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
