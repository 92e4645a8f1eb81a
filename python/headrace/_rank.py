"""Which rank this process is, as its launcher says: the engine may be shared by ranks, and cannot tell."""

from __future__ import annotations

import os
import sys
from typing import Mapping, Optional, Tuple

from .errors import HeadraceError

#: The innermost first: torchrun is started by mpirun or srun, mpirun by srun, and each leaves its own variables.
_LAUNCHERS = (
    ("HEADRACE_RANK", "HEADRACE_WORLD_SIZE"),
    ("RANK", "WORLD_SIZE"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("PMI_RANK", "PMI_SIZE"),
    ("SLURM_PROCID", "SLURM_NTASKS"),
)
#: The lowest of Slurm's reserved step ids: shells and batch scripts, which are no step.
_FIRST_RESERVED_STEP = 0xFFFFFFFA


def _in_slurm_step(env: Mapping[str, str]) -> bool:
    try:
        return int(env.get("SLURM_STEP_ID", "")) < _FIRST_RESERVED_STEP
    except ValueError:
        return False


def _read(env: Mapping[str, str], name: str, least: int) -> int:
    text = env.get(name, "")
    if not text.strip().isdigit() or int(text) < least:
        raise HeadraceError("E_CONFIG", f"environment variable {name} must be an integer of {least} or more, but is {text!r}")
    return int(text)


def discover_rank(env: Optional[Mapping[str, str]] = None) -> Tuple[int, int]:
    """(rank, world size): of torch.distributed where it runs, else of the launcher's variables; (0, 1) without."""
    distributed = sys.modules.get("torch.distributed")
    if env is None and distributed is not None and distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    variables = os.environ if env is None else env
    for rank_name, size_name in _LAUNCHERS:
        if rank_name not in variables and size_name not in variables:
            continue
        if rank_name == "SLURM_PROCID" and not _in_slurm_step(variables):
            continue
        size = _read(variables, size_name, 1)
        rank = _read(variables, rank_name, 0)
        if rank >= size:
            raise HeadraceError("E_CONFIG", f"environment variable {rank_name} must be less than {size_name} ({size}), but is {rank}")
        return rank, size
    return 0, 1
