"""What a process that is being spawned is told, so that it uses this one's engine."""

from __future__ import annotations

from multiprocessing import context
from typing import Optional

from ._engine import Engine


def engine_for_child() -> Optional[Engine]:
    """This process's engine while a child is being spawned, which gets a copy of what is pickled now; None otherwise:
    what is pickled to a file is read when this engine is long gone."""
    return None if context.get_spawning_popen() is None else Engine.get()
