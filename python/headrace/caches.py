"""Image caches are built by the engine's command line, and loaded with `image_cache`."""

from __future__ import annotations

import os
from typing import Any, Dict, Optional, Union

from ._node import run_json

PathLike = Union[str, "os.PathLike[str]"]


def build_image_cache(
    source: PathLike,
    destination: PathLike,
    *,
    encoding: Optional[str] = None,
    compact: bool = False,
    short_side: Optional[int] = None,
    max_side: Optional[int] = None,
    quality: Optional[int] = None,
    workers: Optional[int] = None,
    on_error: Optional[str] = None,
    force: bool = False,
) -> Dict[str, Any]:
    """Builds an image cache of a folder of pictures (a class a subfolder) or of another cache; returns what was built.

    `encoding` is `jpeg` (the files' bytes as they are), `dct` (faster, the same pixels; `compact`: smaller) or `yuv420`. What
    was begun and broken off goes on where it was. E_EXISTS where there is something, unless `force`.
    """
    flags = {
        "--encoding": encoding,
        "--short-side": short_side,
        "--max-side": max_side,
        "--quality": quality,
        "--workers": workers,
        "--on-error": on_error,
    }
    given = [text for flag, value in flags.items() if value is not None for text in (flag, str(value))]
    switches = [name for name, on in (("--compact", compact), ("--force", force)) if on]
    return run_json("cache", "build", *given, *switches, "--json", "--", os.fspath(source), os.fspath(destination))
