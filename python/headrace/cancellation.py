"""A way to end loading from another thread."""

from __future__ import annotations

import threading
from typing import Callable, List


class CancellationToken:
    """`cancel()` ends every loader that has this token: it throws E_CANCELLED, also where it waits for a batch."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cancelled = False
        self._listeners: List[Callable[[], None]] = []

    @property
    def is_cancelled(self) -> bool:
        return self._cancelled

    def cancel(self) -> None:
        with self._lock:
            if self._cancelled:
                return
            self._cancelled = True
            listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener()

    def _listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Calls it at `cancel`, or now where that was; returns what takes it away again."""
        with self._lock:
            if not self._cancelled:
                self._listeners.append(listener)
                return lambda: self._forget(listener)
        listener()
        return lambda: None

    def _forget(self, listener: Callable[[], None]) -> None:
        with self._lock:
            if listener in self._listeners:
                self._listeners.remove(listener)
