"""Makes PyPI's PyTorch importable without the CUDA libraries that it is linked to, which are 3 GB: for tests on machines
without a GPU. Each library that is missing is compiled as one whose functions all answer "no device", so that PyTorch finds
none and computes on the CPU. What is made here is for this machine, and not to be passed on.

    python cuda_stubs.py SITE_PACKAGES/torch/lib
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Dict, List, NamedTuple, Set, Tuple

#: cudaErrorNoDevice and CUDA_ERROR_NO_DEVICE.
NO_DEVICE = 100
#: Libraries of the system itself.
SYSTEM = re.compile(r"^(lib(c|m|dl|rt|pthread|stdc\+\+|gcc_s|gomp|numa|quadmath)\b|ld-linux)")
#: Functions of CUDA's libraries.
CUDA = re.compile(r"^_*(cu|nv|nccl)")


class Needs(NamedTuple):
    libraries: Set[str]
    #: Name -> version, '' where it has none.
    symbols: Dict[str, str]


def output_of(*line: str) -> str:
    return subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout


def symbols_of(path: Path) -> Tuple[Dict[str, str], Set[str]]:
    """(undefined with their versions, defined)."""
    undefined: Dict[str, str] = {}
    defined: Set[str] = set()
    for line in output_of("readelf", "--dyn-syms", "-W", str(path)).splitlines():
        columns = line.split()
        if len(columns) < 8 or columns[3] not in ("FUNC", "OBJECT", "NOTYPE"):
            continue
        name, _, version = columns[7].partition("@")
        if columns[6] == "UND":
            undefined[name] = version.strip("@")
        else:
            defined.add(name)
    return undefined, defined


def what_is_missing(folder: Path) -> Needs:
    files = [path for path in folder.glob("*.so*") if not path.is_symlink()]
    wanted: Set[str] = set()
    undefined: Dict[str, str] = {}
    defined: Set[str] = set()
    for path in files:
        wanted |= set(re.findall(r"NEEDED\).*\[(.+?)\]", output_of("readelf", "-dW", str(path))))
        mine, theirs = symbols_of(path)
        undefined.update(mine)
        defined |= theirs
    known = output_of("/sbin/ldconfig", "-p")
    there = {path.name for path in files}
    libraries = {name for name in wanted if name not in there and not SYSTEM.match(name) and f"\t{name} " not in known}
    return Needs(libraries, {name: at for name, at in undefined.items() if name not in defined and CUDA.match(name)})


def compile_stub(folder: Path, library: str, versioned: List[str], plain: List[str]) -> None:
    with tempfile.TemporaryDirectory() as work:
        source, script = os.path.join(work, "stub.c"), os.path.join(work, "stub.map")
        Path(source).write_text("".join(f"int {name}(void) {{ return {NO_DEVICE}; }}\n" for name in [*versioned, *plain]))
        line = [os.environ.get("CC", "cc"), "-w", "-O1", "-fPIC", "-shared", f"-Wl,-soname,{library}", source]
        if versioned:
            Path(script).write_text(f"{library} {{ global: {' '.join(f'{name};' for name in versioned)} }};\n")
            line.append(f"-Wl,--version-script={script}")
        subprocess.run([*line, "-o", str(folder / library)], check=True)


def main(folder: Path) -> None:
    libraries, symbols = what_is_missing(folder)
    by_version: Dict[str, List[str]] = {}
    for name, version in symbols.items():
        words = version.split()
        by_version.setdefault(words[0] if words else "", []).append(name)
    # A version is the name of its library; what has none, or that of another, goes to the runtime.
    loose = [name for version, names in by_version.items() if version not in libraries for name in names]
    for library in sorted(libraries):
        compile_stub(folder, library, by_version.get(library, []), loose if library.startswith("libcudart") else [])
    print(f"{len(libraries)} libraries, {len(symbols)} functions")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
