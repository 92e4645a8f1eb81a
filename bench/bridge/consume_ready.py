"""A channel whose batches are made already."""

from headrace._channel import Channel
from headrace._engine import Engine


class Ready(Channel):
    def __init__(self, slots, size):
        self._size = size
        super().__init__(self, {}, {}, slots)

    def connect(self, hello):
        return Engine.get().connect({**hello, "op": "ready", "bytes": self._size})
