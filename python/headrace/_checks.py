"""What options must be; messages name the option and quote the value."""

from __future__ import annotations

import math
import operator
from typing import Any, NoReturn, Optional, Sequence

from .errors import HeadraceError


def refuse(message: str, hint: Optional[str] = None) -> NoReturn:
    raise HeadraceError("E_USAGE", message, {} if hint is None else {"hint": hint})


def integer(name: str, value: Any, least: int) -> int:
    if not isinstance(value, bool):
        try:
            whole = operator.index(value)
        except TypeError:
            whole = None
        if whole is not None and whole >= least:
            return int(whole)
    kind = "a positive integer" if least == 1 else f"an integer of {least} or more"
    return refuse(f"{name} must be {kind}, but got {value!r}")


def number(name: str, value: Any, above: float = 0.0) -> float:
    try:
        found = math.nan if isinstance(value, (bool, str)) else float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not math.isfinite(found) or found <= above:
        return refuse(f"{name} must be a number above {above:g}, but got {value!r}")
    return found


def boolean(name: str, value: Any) -> bool:
    if isinstance(value, bool) or (isinstance(value, int) and value in (0, 1)):
        return bool(value)
    return refuse(f"{name} must be True or False, but got {value!r}")


def one_of(name: str, value: Any, choices: Sequence[str]) -> str:
    if isinstance(value, str) and str(value) in choices:
        return str(value)
    return refuse(f"{name} must be one of {', '.join(choices)}, but got {value!r}")
