"""`headrace.jax`: arrays of shared memory by DLPack."""

from __future__ import annotations

import gc
import json
from typing import Any

import pytest

jax = pytest.importorskip("jax", reason="JAX is not installed")

import headrace  # noqa: E402
import headrace.jax  # noqa: E402
import numpy as np  # noqa: E402
from object_set import OBJECTS  # noqa: E402
from headrace.jax import JaxIterable  # noqa: E402

VALUES = list(OBJECTS.values())


def test_arrays_are_the_numpy_batches(photos_cache: str) -> None:
    options = headrace.LoaderOptions(batch_size=4, image="train", shuffle=True, seed=3)
    with headrace.load(photos_cache, options) as arrays, headrace.jax.load(photos_cache, options) as loader:
        for expected, found in zip(arrays, loader):
            assert isinstance(found["image"], jax.Array) and found["image"].dtype == np.uint8
            assert (np.asarray(found["image"]) == expected["image"]).all()
            assert np.asarray(found["label"]).tolist() == expected["label"].tolist()


def test_an_array_is_the_memory_of_the_engine(photos_cache: str) -> None:
    from headrace._channel import Channel
    from headrace._engine import Engine

    with Channel(Engine.get(), {"kind": "cache", "path": photos_cache}, {"image": "train", "batchSize": 4}) as channel:
        raw = channel.next()
        assert raw is not None
        memory = raw.fields["image"]
        image = headrace.jax._array(memory)
        memory[0, 0, 0, 0] = 77
        assert int(image[0, 0, 0, 0]) == 77
        assert image.unsafe_buffer_pointer() == memory.ctypes.data


def test_an_array_keeps_its_memory_until_it_is_gone(photos_cache: str) -> None:
    with headrace.jax.load(photos_cache, batch_size=2, image="train", slots=2) as loader:
        batches = iter(loader)
        kept = [next(batches)["image"], next(batches)["image"]]
        with pytest.raises(headrace.Starved):
            next(batches)
        kept.clear()
        gc.collect()
        loader.set_epoch(0)
        assert sum(1 for _ in loader) == 12


def test_numbers_of_64_bits_stay_what_they_are(objects_folder: str) -> None:
    source = headrace.synthetic(64, shape=[3], dtype="int64", seed=1)
    with headrace.load(source, batch_size=8) as arrays, headrace.jax.load(source, batch_size=8) as loader:
        for expected, found in zip(arrays, loader):
            assert np.asarray(found["data"]).dtype == np.int64
            assert (np.asarray(found["data"]) == expected["data"]).all()


def test_a_device_gets_copies(photos_cache: str) -> None:
    device = jax.devices()[0]
    with headrace.jax.load(photos_cache, batch_size=4, image="train", device=device) as loader:
        image = next(iter(loader))["image"]
        assert image.devices() == {device} and image.shape == (4, 224, 224, 3)


def test_each_object_is_an_array(objects_folder: str) -> None:
    samples = list(JaxIterable.from_prefix(objects_folder))
    assert [sample.tobytes() for sample in samples] == VALUES
    assert all(sample.dtype == np.uint8 and not sample.flags.writeable for sample in samples)
    assert next(iter(JaxIterable.from_prefix(objects_folder, writable=True))).flags.writeable
    lengths = list(JaxIterable.from_prefix(objects_folder, transform=len))
    assert lengths == [len(value) for value in VALUES]


def test_it_goes_on_where_it_was(objects_folder: str) -> None:
    def iterable() -> Any:
        return JaxIterable.from_prefix(objects_folder, shuffle=True, seed=2)

    whole = [sample.tobytes() for sample in iterable()]
    begun = iterable()
    samples = iter(begun)
    for _ in range(20):
        next(samples)
    other = iterable()
    other.load_state_dict(json.loads(json.dumps(begun.state_dict())))
    assert [sample.tobytes() for sample in other] == whole[20:]
