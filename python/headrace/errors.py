"""What goes wrong: one class, whose `code` is for programs and whose message is for people."""

from __future__ import annotations

import re
from typing import Any, Dict, Mapping, Optional, Tuple, Type

__all__ = ["EngineDied", "HeadraceError", "Starved"]

_CODE = re.compile(r"\[(E_[A-Z_]+)\]")


class HeadraceError(Exception):
    """`code` is stable, such as ``E_NOT_FOUND``. `details` says where: url, key, sample, field, hint and so on.

    Codes: E_USAGE E_CONFIG E_NOT_FOUND E_EXISTS E_ACCESS E_CREDENTIALS E_NETWORK E_TIMEOUT E_THROTTLED E_SERVER
    E_CHECKSUM E_CORRUPT E_UNSUPPORTED E_LIMIT E_NO_SPACE E_CANCELLED E_STATE E_PEER.
    """

    default_code = "E_SERVER"

    def __init__(self, code: str, message: Optional[str] = None, details: Optional[Mapping[str, Any]] = None) -> None:
        if message is None:
            # A message alone: so exceptions are made again that come from a worker process.
            found = _CODE.findall(code)
            code, message = (found[-1] if found else self.default_code), code
        self.code: str = code
        self.message: str = message
        self.details: Dict[str, Any] = dict(details or {})
        super().__init__(message)

    def __str__(self) -> str:
        text = self.message if f"[{self.code}]" in self.message else f"{self.message} [{self.code}]"
        hint = self.details.get("hint")
        return text if hint is None else f"{text}\nhint: {hint}"

    def __reduce__(self) -> Tuple[Any, ...]:
        return _remade, (type(self), self.code, self.message, self.details)


class EngineDied(HeadraceError):
    """The engine process is gone, or ended the connection. Code E_PEER."""

    default_code = "E_PEER"

    def __init__(self, message: str, details: Optional[Mapping[str, Any]] = None) -> None:
        super().__init__("E_PEER", message, details)


class Starved(HeadraceError):
    """All memory for batches is still referenced, so there can be no next one. Code E_LIMIT. Release some, and go on."""

    default_code = "E_LIMIT"

    def __init__(self, message: str, details: Optional[Mapping[str, Any]] = None) -> None:
        super().__init__("E_LIMIT", message, details)


def _remade(kind: Type[HeadraceError], code: str, message: str, details: Mapping[str, Any]) -> HeadraceError:
    if issubclass(kind, (EngineDied, Starved)):
        return kind(message, details)
    return kind(code, message, details)


def error_of(code: str, message: str, details: Optional[Mapping[str, Any]] = None, hint: Optional[str] = None) -> HeadraceError:
    """The error that the engine told of."""
    told = dict(details or {})
    if hint is not None:
        told["hint"] = hint
    return HeadraceError(code, message, told)
