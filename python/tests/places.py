"""Where things of this clone are."""

from __future__ import annotations

from pathlib import Path

#: This clone.
ROOT = Path(__file__).resolve().parent.parent.parent
PHOTOS = ROOT / "examples" / "data" / "photos"
