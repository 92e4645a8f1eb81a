"""`headrace.load`: the samples that there are, in memory that is shared."""

from __future__ import annotations

import gc
import threading
import time
from typing import List

import headrace
import numpy as np
import pytest
from object_set import OBJECTS, content
from headrace._store import Store


def contents(batches: object) -> List[tuple]:
    return [(key, data) for batch in batches for key, data in zip(batch["key"], batch["data"].tolist())]  # type: ignore[attr-defined]


def test_objects_come_whole_and_in_order(objects_folder: str) -> None:
    with headrace.load(objects_folder, batch_size=8) as loader:
        found = contents(loader)
    assert found == list(OBJECTS.items())


def test_objects_of_an_s3_server(s3_objects: str) -> None:
    with headrace.load(s3_objects, batch_size=8) as loader:
        assert contents(loader) == list(OBJECTS.items())


def test_a_batch_says_where_it_stands(objects_folder: str) -> None:
    with headrace.load(objects_folder, batch_size=16, fields=["key"]) as loader:
        assert (len(loader), loader.num_samples) == (3, len(OBJECTS))
        metas = [batch.meta for batch in loader]
        assert [(meta.epoch, meta.step, meta.size, meta.padding) for meta in metas] == [(0, 0, 16, 0), (0, 1, 16, 0), (0, 2, 11, 0)]
        assert np.concatenate([meta.index for meta in metas]).tolist() == list(range(len(OBJECTS)))
        assert [batch.meta.epoch for batch in loader] == [1, 1, 1]
        assert loader.schema == {"data": {"kind": "bytes"}, "key": {"kind": "string"}}


def test_shuffled_epochs_differ_and_are_the_same_for_the_same_seed(objects_folder: str) -> None:
    def keys(loader: headrace.Loader) -> List[str]:
        return [key for batch in loader for key in batch["key"]]

    with headrace.load(objects_folder, batch_size=8, shuffle=True, seed=5, fields=["key"]) as loader:
        first, second = keys(loader), keys(loader)
    assert first != second and sorted(first) == sorted(second) == list(OBJECTS)
    with headrace.load(objects_folder, batch_size=16, shuffle=True, seed=5, fields=["key"], epoch=1) as loader:
        assert keys(loader) == second
        loader.set_epoch(0)
        assert keys(loader) == first


def test_a_loop_that_is_left_counts_as_an_epoch(objects_folder: str) -> None:
    with headrace.load(objects_folder, batch_size=8, fields=["key"]) as loader:
        for batch in loader:
            break
        assert [batch.meta.epoch for batch in loader] == [1] * 6


def test_ranks_share_the_samples(objects_folder: str) -> None:
    found = []
    for rank in range(3):
        with headrace.load(objects_folder, batch_size=4, shuffle=True, rank=rank, world_size=3, tail="short") as loader:
            found += contents(loader)
    assert sorted(found) == list(OBJECTS.items())


def test_arrays_are_views_of_the_shared_memory_and_copies_are_not(photos_cache: str) -> None:
    with headrace.load(photos_cache, batch_size=4, image="train") as loader:
        batches = iter(loader)
        batch = next(batches)
        assert batch["image"].shape == (4, 224, 224, 3) and batch["image"].dtype == np.uint8
        assert batch["label"].shape == (4,)
        kept = batch.copy()
        pixels = batch["image"].copy()
        batch["image"][:] = 0
        assert (kept["image"] == pixels).all() and kept["image"].any()
        assert kept.meta.index.tolist() == [0, 1, 2, 3]


def test_batches_that_are_all_kept_are_told_and_then_go_on(objects_folder: str) -> None:
    with headrace.load(objects_folder, batch_size=4, fields=["data"], slots=3) as loader:
        batches = iter(loader)
        kept = [next(batches) for _ in range(3)]
        with pytest.raises(headrace.Starved) as raised:
            next(batches)
        assert raised.value.code == "E_LIMIT"
        bytes_kept = kept[0]["data"].tolist()
        assert bytes_kept == list(OBJECTS.values())[:4]


def test_a_view_of_a_batch_keeps_its_memory(objects_folder: str) -> None:
    with headrace.load(objects_folder, batch_size=4, fields=["data"], slots=3) as loader:
        view = next(iter(loader))["data"].sample(2)
        expected = view.tobytes()
        loader.set_epoch(0)
        for _ in loader:
            gc.collect()
        assert view.tobytes() == expected == list(OBJECTS.values())[2]


def test_what_is_kept_outlives_its_loader_and_its_engine(objects_folder: str) -> None:
    import time

    from headrace._engine import Engine

    batch = next(iter(headrace.load(objects_folder, batch_size=40)))
    gc.collect()
    time.sleep(0.3)  # The engine gives its memory back meanwhile.
    assert batch["data"].tolist() == list(OBJECTS.values())[:40]
    with headrace.load(objects_folder, batch_size=40) as loader:
        other = next(iter(loader))
        loader.set_epoch(3)
        assert len([batch.meta.step for batch in loader]) == 2
        assert other["data"].tolist() == list(OBJECTS.values())[:40]
        Engine.get().close()
        assert other["data"].tolist() == list(OBJECTS.values())[:40]


def test_views_of_images_and_normalised_pixels(photos_cache: str) -> None:
    views = {
        "global": [headrace.random_resized_crop(64), headrace.normalize()],
        "local": [headrace.random_resized_crop(32), headrace.normalize()],
    }
    with headrace.load(photos_cache, batch_size=3, views=views, memory_format="channels_first", seed=3) as loader:
        image = next(iter(loader))["image"]
    assert image["global"].shape == (3, 3, 64, 64) and image["local"].shape == (3, 3, 32, 32)
    assert image["global"].dtype == np.float32


def test_pictures_of_their_own_sizes(photos_cache: str) -> None:
    with headrace.load(photos_cache, batch_size=5, image=[headrace.decode()]) as loader:
        image = next(iter(loader))["image"]
    shapes = [picture.shape for picture in image.images()]
    assert all(min(height, width) == 256 and channels == 3 for height, width, channels in shapes)
    assert image.layout == "NHWC" and len(shapes) == 5


def test_stored_bytes_of_pictures_are_the_cache_s(photos_cache: str) -> None:
    with headrace.load(photos_cache, batch_size=5) as loader:
        image = next(iter(loader))["image"]
        assert all(image.sample(i)[:2].tobytes() == b"\xff\xd8" for i in range(5))
        assert image.heights.min() == 256 or image.widths.min() == 256


def test_transforms_are_applied_unless_they_are_off(objects_folder: str) -> None:
    def count(batch: headrace.Batch) -> int:
        return len(batch["key"])

    with headrace.load(objects_folder, batch_size=16, transform=count) as loader:
        assert list(loader) == [16, 16, 11]
    with headrace.load(objects_folder, batch_size=16, transform=count, enable_transforms=False) as loader:
        assert [len(batch["key"]) for batch in loader] == [16, 16, 11]


def test_datasets_of_datasets_are_loaded(objects_folder: str) -> None:
    whole = headrace.objects(objects_folder)
    parts = whole.split({"train": 0.8, "valid": 0.2}, seed=1)
    with headrace.load(parts["train"], fields=["key"]) as train, headrace.load(parts["valid"], fields=["key"]) as valid:
        a = [key for batch in train for key in batch["key"]]
        b = [key for batch in valid for key in batch["key"]]
    assert sorted(a + b) == list(OBJECTS) and len(b) == 9
    with headrace.load(headrace.concat([whole.subset(start=40), whole.subset([0])]), fields=["key"]) as loader:
        assert [key for batch in loader for key in batch["key"]] == [*list(OBJECTS)[40:], list(OBJECTS)[0]]


def test_weights_say_how_often_a_sample_comes(objects_folder: str) -> None:
    weights = [0.0] * len(OBJECTS)
    weights[3], weights[5] = 1.0, 3.0
    options = headrace.LoaderOptions().weighted_sampling(weights).replace(samples=4000, batch_size=500, fields=["key"])
    with headrace.load(objects_folder, options) as loader:
        keys = [key for batch in loader for key in batch["key"]]
    counts = {key: keys.count(key) for key in set(keys)}
    names = list(OBJECTS)
    assert set(counts) == {names[3], names[5]} and len(keys) == 4000
    # Of 4000 draws 3000 are expected; five standard deviations are 137.
    assert abs(counts[names[5]] - 3000) < 137


def test_many_weights_go_in_a_file() -> None:
    count = 300_000
    weights = np.zeros(count)
    weights[[7, count - 1]] = 1
    options = headrace.LoaderOptions().weighted_sampling(weights).replace(samples=200, batch_size=100)
    with headrace.load(headrace.synthetic(count, shape=[1], dtype="uint8"), options) as loader:
        drawn = np.concatenate([batch.meta.index for batch in loader])
    assert set(drawn.tolist()) == {7, count - 1} and len(drawn) == 200


def test_an_object_that_has_gone_is_named(s3: str) -> None:
    store = Store()
    store.put_many([(f"{s3}/gone/{i}.bin", content(str(i), 1000)) for i in range(8)])
    with headrace.load(f"{s3}/gone", batch_size=2, prefetch=1, fields=["data"]) as loader:
        batches = iter(loader)
        next(batches)
        store.delete(f"{s3}/gone/7.bin")
        with pytest.raises(headrace.HeadraceError, match=r"7\.bin.* is no longer there") as raised:
            list(map(lambda batch: batch.meta.step, batches))
    assert raised.value.code == "E_NOT_FOUND"


def test_a_token_ends_loading_from_another_thread(objects_folder: str) -> None:
    token = headrace.CancellationToken()
    with headrace.load(objects_folder, batch_size=1, cancellation_token=token) as loader:
        batches = iter(loader)
        next(batches)
        threading.Timer(0.2, token.cancel).start()
        with pytest.raises(headrace.HeadraceError, match="loading was cancelled") as raised:
            started = time.monotonic()
            while time.monotonic() - started < 30:
                for batch in loader:
                    del batch
    assert raised.value.code == "E_CANCELLED"
    with pytest.raises(headrace.HeadraceError, match="loading was cancelled"):
        next(iter(headrace.load(objects_folder, cancellation_token=token)))


def test_what_the_engine_refuses_comes_with_its_code(objects_folder: str) -> None:
    with pytest.raises(headrace.HeadraceError, match="the dataset has no field") as raised:
        next(iter(headrace.load(objects_folder, fields=["pixels"])))
    assert raised.value.code == "E_USAGE"
    with pytest.raises(headrace.HeadraceError) as raised:
        next(iter(headrace.load("/nowhere/at all")))
    assert raised.value.code == "E_NOT_FOUND"
