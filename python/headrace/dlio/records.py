"""A sample of records, out of a batch."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np

from ..batch import Batch, StoredBytes


def record_of(batch: Batch, row: int, dtype: Optional[str]) -> Any:
    """The array of a record, in memory of its own."""
    data = batch["data"]
    if not isinstance(data, StoredBytes):
        return data[row].copy()
    flat = np.frombuffer(data.sample(row).tobytes(), np.dtype(dtype or "uint8"))
    shape = batch.get("shape")
    return flat if shape is None else flat.reshape(shape[row])


def label_of(batch: Batch, row: int) -> Any:
    """Its label; None where the files have none."""
    labels = batch.get("label")
    return None if labels is None else labels[row].item()
