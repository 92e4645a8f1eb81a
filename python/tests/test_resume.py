"""Where a loader stands, and going on from there: here, in another process, on another number of ranks."""

from __future__ import annotations

import json
import pickle
from typing import Any, Dict, List, Optional

import headrace
import pytest
from object_set import OBJECTS

KEYS = list(OBJECTS)


def loader_of(folder: str, rank: int = 0, world_size: int = 1, **options: Any) -> headrace.Loader:
    batch = 8 // world_size
    return headrace.load(
        folder, batch_size=batch, shuffle=True, seed=9, tail="short", fields=["key"], rank=rank, world_size=world_size, **options
    )


def steps(loader: headrace.Loader) -> List[List[str]]:
    return [list(batch["key"]) for batch in loader]


def test_every_step_is_one_to_go_on_from(objects_folder: str) -> None:
    with loader_of(objects_folder) as loader:
        whole, after = steps(loader), steps(loader)
    for step in range(len(whole)):
        with loader_of(objects_folder) as loader:
            for batch in loader:
                if batch.meta.step == step:
                    break
            state = json.loads(json.dumps(loader.state_dict()))
            assert batch.state == state and len(json.dumps(state)) < 1024
        with loader_of(objects_folder) as loader:
            loader.load_state_dict(state)
            rest = steps(loader)
            # Behind the last step the next epoch begins.
            assert rest == (whole[step + 1 :] or after), step


def test_twice_in_a_row(objects_folder: str) -> None:
    with loader_of(objects_folder) as loader:
        whole = steps(loader)
    seen: List[List[str]] = []
    state: Optional[Dict[str, Any]] = None
    for _ in range(3):
        with loader_of(objects_folder, resume=state) as loader:
            batches = iter(loader)
            seen += [list(next(batches)["key"]) for _ in range(2)]
            state = loader.state()
    assert seen == whole[:6]


@pytest.mark.parametrize("world_size", [2, 4, 8])
def test_on_another_number_of_ranks(objects_folder: str, world_size: int) -> None:
    with loader_of(objects_folder) as loader:
        whole = steps(loader)
        loader.set_epoch(0)
        batches = iter(loader)
        next(batches), next(batches)
        state = loader.state()
    shares = []
    for rank in range(world_size):
        with loader_of(objects_folder, rank, world_size, resume=state) as loader:
            shares.append(steps(loader))
    joined = [sum((share[step] for share in shares if step < len(share)), []) for step in range(len(whole) - 2)]
    assert joined == whole[2:]


def test_a_loader_is_pickled_with_where_it_stands(objects_folder: str) -> None:
    with loader_of(objects_folder) as loader:
        whole = steps(loader)
        loader.set_epoch(0)
        next(iter(loader))
        with pickle.loads(pickle.dumps(loader)) as other:
            assert steps(other) == whole[1:]


def test_a_state_of_something_else_is_refused(objects_folder: str, photos_cache: str) -> None:
    with headrace.load(photos_cache, batch_size=8) as loader:
        state = loader.state()
    with loader_of(objects_folder, resume=state) as loader, pytest.raises(headrace.HeadraceError) as raised:
        steps(loader)
    assert raised.value.code == "E_STATE"
    with pytest.raises(headrace.HeadraceError, match="version must be 1, but got 7") as raised:
        steps(loader_of(objects_folder, resume={**state, "version": 7}))
    assert raised.value.code == "E_STATE"
