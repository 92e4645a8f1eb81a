from __future__ import annotations

import builtins
import re
from typing import Iterator, List, Optional, Tuple

from ..._store import ObjectInfo
from ._stores import native_errors, store, url_of


def split_uri(uri: str) -> Tuple[str, str]:
    """What stands before the key in a listed URI, and the key: ("s3://bucket/", "a/b")."""
    scheme, mark, rest = uri.partition("://")
    if not mark:
        path = url_of(uri)
        return "file:///", path.lstrip("/")
    if scheme in ("file", "direct"):
        return f"{scheme}:///", url_of(uri)[len(scheme) + 3 :].lstrip("/")
    names = 2 if scheme == "az" or (scheme == "s3" and ":" in rest.partition("/")[0]) else 1
    parts = rest.split("/", names)
    container = "/".join(parts[:names])
    return f"{scheme}://{container}/", parts[names] if len(parts) > names else ""


def _globbed(pattern: str) -> "re.Pattern[str]":
    """`*` stays within a level, `**` does not."""
    pieces = re.split(r"(\*\*|\*)", pattern)
    return re.compile("".join({"**": ".*", "*": "[^/]*"}.get(piece, re.escape(piece)) for piece in pieces), re.DOTALL)


def _names(head: str, prefix: str, recursive: bool) -> Iterator[str]:
    for entry in store().list(url_of(head + prefix), None if recursive else "/"):
        yield entry.key if isinstance(entry, ObjectInfo) else entry


def _selected(head: str, key: str, recursive: bool) -> Iterator[str]:
    if "*" in key:
        folder = key[: key.rfind("/", 0, key.index("*")) + 1]
        matches = _globbed(key).fullmatch
        deep = "**" in key or "/" in key[key.index("*") :]
        yield from (name for name in _names(head, folder, deep) if not name.endswith("/") and matches(name))
    elif key == "" or key.endswith("/"):
        yield from (name for name in _names(head, key, recursive) if name != key)
    else:
        # The object of that name, and the folder.
        for name in _names(head, key, recursive):
            if name in (key, f"{key}/") or (recursive and name.startswith(f"{key}/")):
                yield name


def list(uri: str, recursive: bool = False, pattern: Optional[str] = None) -> List[str]:  # noqa: A001
    """URIs of what the URI selects: the objects of a folder (``s3://b/d/``; subfolders end with `/`), an object or folder
    by its name, or the objects that a glob matches (``s3://b/d/*.bin``; ``**`` goes through levels). `pattern`: a regular
    expression that is searched for in what stands behind the folder.
    """
    head, key = split_uri(uri)
    with native_errors():
        names = builtins.list(_selected(head, key, recursive))
    if pattern is not None:
        search = re.compile(pattern).search
        start = key.rfind("/") + 1
        names = [name for name in names if search(name[start:])]
    return [head + name for name in names]
