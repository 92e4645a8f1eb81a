"""s3dlio, by its names: ``import headrace.compat.s3dlio as s3dlio`` is the only change a program needs.

Objects of all stores are read and written by the engine; what is handed out belongs to the caller. Options do what they
say: loaders shuffle, shard and read ahead. Differences are listed in docs/compat.md.
"""

from __future__ import annotations

import importlib
from typing import Any
from typing import List as _List

from . import _pymod
from ._listing import split_uri as _split_uri
from ._pymod import *  # noqa: F403
from ._pymod import get, list, stat  # noqa: A004

_TORCH = ("ObjectStoreIterableDataset", "ObjectStoreMapDataset", "S3IterableDataset", "S3MapDataset")
_JAX_TF = ("JaxIterable", "S3JaxIterable", "make_tf_dataset")


def list_keys(uri: str) -> _List[str]:
    """What the URI selects, without the folder that it names."""
    start = len("".join(_split_uri(uri)))
    return [key for key in (each[start:].lstrip("/") or each.rsplit("/", 1)[-1] for each in list(uri)) if key]


def list_full_uris(uri: str) -> _List[str]:
    """URIs of what the URI selects."""
    return list(uri)


def get_object(uri: str) -> Any:
    """`get` under another name."""
    return get(uri)


def stat_object(uri: str) -> Any:
    """`stat` under another name."""
    return stat(uri)


def get_by_key(bucket: str, key: str) -> Any:
    """`get` of an object of S3."""
    return get(f"s3://{bucket}/{key}")


def stat_key(bucket: str, key: str) -> Any:
    """`stat` of an object of S3."""
    return stat(f"s3://{bucket}/{key}")


def __getattr__(name: str) -> Any:
    # torch and tensorflow are loaded by those who ask for them.
    if name in _TORCH:
        return getattr(importlib.import_module(f"{__name__}.torch"), name)
    if name in _JAX_TF:
        return getattr(importlib.import_module(f"{__name__}.jax_tf"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    *_pymod.__all__,
    *_TORCH,
    *_JAX_TF,
    "get_by_key",
    "get_object",
    "list_full_uris",
    "list_keys",
    "stat_key",
    "stat_object",
]
