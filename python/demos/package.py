"""Finds headrace in the clone that the demos lie in, where it is not installed."""

import importlib.util
import sys
from pathlib import Path

if importlib.util.find_spec("headrace") is None:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
