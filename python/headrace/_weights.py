"""Weights of samples on their way to the engine: many of them go in a file."""

from __future__ import annotations

import contextlib
import tempfile
from typing import Any, Dict, Iterator

import numpy as np

#: As many as a hello has room for, many times over.
_IN_JSON = 10_000


@contextlib.contextmanager
def handed_over(options: Dict[str, Any]) -> Iterator[Dict[str, Any]]:
    """The options as they are told to the engine. The file is there for as long as the engine may read it."""
    weights = options.get("weights")
    if weights is None or len(weights) <= _IN_JSON:
        yield options
        return
    with tempfile.NamedTemporaryFile(prefix="headrace-weights-") as file:
        file.write(np.asarray(weights, "<f8").tobytes())
        file.flush()
        yield {**options, "weights": {"file": file.name}}
