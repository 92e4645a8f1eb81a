"""Which frameworks are there, and a loader for any of them."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from typing import Any, Dict, List

from .._checks import one_of

#: By the name that configs use, the module and the packages that bring it.
FRAMEWORKS = {
    "pytorch": ("torch", ("torch",)),
    "tensorflow": ("tensorflow", ("tensorflow", "tensorflow-cpu", "tensorflow-macos")),
    "jax": ("jax", ("jax",)),
}


def list_available_frameworks() -> List[str]:
    """The frameworks that are installed here."""
    return [name for name, (module, _) in FRAMEWORKS.items() if importlib.util.find_spec(module) is not None]


def _version(packages: Any) -> Any:
    for package in packages:
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def get_framework_info() -> Dict[str, Dict[str, Any]]:
    """Of every framework whether it is installed, and its version; nothing is imported."""
    there = list_available_frameworks()
    return {
        name: {"available": name in there, "version": _version(packages) if name in there else None, "module": module}
        for name, (module, packages) in FRAMEWORKS.items()
    }


def create_dataloader(source: Any, framework: str = "pytorch", **options: Any) -> Any:
    """Batches of a config or a folder for a framework: `DlioPyTorchDataLoader`, a `tf.data.Dataset`, or an iterable of
    JAX arrays. Options win over the config's."""
    one_of("framework", framework, list(FRAMEWORKS))
    module = importlib.import_module(f".{framework}", __package__)
    return module.batches(source, **options)
