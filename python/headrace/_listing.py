"""Objects below a URL by number: what map-style datasets are over."""

from __future__ import annotations

from typing import Dict, List, Tuple

from ._store import Place, Store, Where
from .errors import HeadraceError

#: Slashes behind `scheme://` that belong to the container.
_CONTAINER_PARTS: Dict[str, int] = {"az": 2}


def _container_of(url: str) -> Tuple[str, str]:
    """The URL of the container with its query, and the prefix in it; ('', '') for a path."""
    scheme, mark, rest = url.partition("://")
    if not mark or scheme in ("file", "direct"):
        return "", ""
    path, question, query = rest.partition("?")
    parts = path.split("/", _CONTAINER_PARTS.get(scheme, 1))
    count = _CONTAINER_PARTS.get(scheme, 1)
    container, prefix = "/".join(parts[:count]), "/".join(parts[count:])
    return f"{scheme}://{container}{question}{query}", prefix


def list_below(store: Store, url: str) -> List[Tuple[str, Where]]:
    """(key below the URL, where it is) of each object, in the order of keys; of the URL of one object that alone."""
    container, prefix = _container_of(url)
    if not container:
        return _files_below(store, url)
    folder = prefix if prefix == "" or prefix.endswith("/") else prefix + "/"
    found: List[Tuple[str, Where]] = [
        (entry.key[len(folder) :], Place(container, entry.key))
        for entry in store.list(Place(container, folder))
        if not isinstance(entry, str) and not (entry.size == 0 and entry.key.endswith("/"))
    ]
    if not found and prefix and not prefix.endswith("/"):
        info = store.head(Place(container, prefix))
        if info is not None:
            return [(prefix.rsplit("/", 1)[-1], Place(container, prefix))]
    return found or _nothing(url)


def _files_below(store: Store, url: str) -> List[Tuple[str, Where]]:
    """Of files the container is the file system, whose keys are whole paths."""
    scheme, mark, path = url.rpartition("://")
    below = path.strip("/") + "/"
    found: List[Tuple[str, Where]] = [
        (entry.key[len(below) :], f"{scheme}{mark}/{entry.key}")
        for entry in store.list(url.rstrip("/") + "/")
        if not isinstance(entry, str)
    ]
    if not found and store.head(url) is not None:
        return [(path.rsplit("/", 1)[-1], url)]
    return found or _nothing(url)


def _nothing(url: str) -> List[Tuple[str, Where]]:
    raise HeadraceError("E_NOT_FOUND", f"there are no objects below {url}", {"url": url})
