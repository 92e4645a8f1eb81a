"""`headrace.tensorflow`: tensors of shared memory by DLPack, and tf.data."""

from __future__ import annotations

import gc

import pytest

tf = pytest.importorskip("tensorflow", reason="TensorFlow is not installed")

import headrace  # noqa: E402
import headrace.tensorflow  # noqa: E402
import numpy as np  # noqa: E402
from object_set import OBJECTS  # noqa: E402
from headrace.tensorflow import make_dataset, make_tf_dataset  # noqa: E402

VALUES = list(OBJECTS.values())


def test_tensors_are_the_numpy_batches(photos_cache: str) -> None:
    options = headrace.LoaderOptions(batch_size=4, image="train", shuffle=True, seed=3)
    with headrace.load(photos_cache, options) as arrays, headrace.tensorflow.load(photos_cache, options) as loader:
        for expected, found in zip(arrays, loader):
            assert found["image"].dtype == tf.uint8 and (found["image"].numpy() == expected["image"]).all()
            assert found["label"].numpy().tolist() == expected["label"].tolist()


def test_a_tensor_is_the_memory_of_the_engine(photos_cache: str) -> None:
    from headrace._channel import Channel
    from headrace._engine import Engine

    with Channel(Engine.get(), {"kind": "cache", "path": photos_cache}, {"image": "train", "batchSize": 4}) as channel:
        raw = channel.next()
        assert raw is not None
        memory = raw.fields["image"]
        image = headrace.tensorflow._tensor(memory)
        memory[0, 0, 0, 0] = 77
        assert int(image[0, 0, 0, 0]) == 77


def test_a_tensor_keeps_its_memory_until_it_is_gone(photos_cache: str) -> None:
    with headrace.tensorflow.load(photos_cache, batch_size=2, image="train", slots=2) as loader:
        batches = iter(loader)
        kept = [next(batches)["image"], next(batches)["image"]]
        with pytest.raises(headrace.Starved):
            next(batches)
        kept.clear()
        gc.collect()
        loader.set_epoch(0)
        assert sum(1 for _ in loader) == 12


def test_a_dataset_of_batches(photos_cache: str) -> None:
    options = headrace.LoaderOptions(batch_size=5, image="train", shuffle=True, seed=3, fields=["image", "label"])
    with headrace.load(photos_cache, options) as loader:
        epochs = [[batch["image"].copy() for batch in loader] for _ in range(2)]
    dataset = make_dataset(photos_cache, options)
    assert dataset.element_spec["image"] == tf.TensorSpec([None, 224, 224, 3], tf.uint8)
    for epoch in epochs:
        found = list(dataset)
        assert len(found) == len(epoch) == 5
        assert all((batch["image"].numpy() == expected).all() for batch, expected in zip(found, epoch))


def test_a_dataset_has_no_stored_bytes(photos_cache: str) -> None:
    with pytest.raises(ValueError, match="field image is no array"):
        make_dataset(photos_cache, batch_size=4)


def test_a_model_is_fitted(photos_cache: str) -> None:
    image = [headrace.random_resized_crop(16), headrace.normalize()]
    dataset = make_dataset(photos_cache, batch_size=8, image=image, fields=["image", "label"], shuffle=True)
    model = tf.keras.Sequential([tf.keras.layers.Flatten(), tf.keras.layers.Dense(2)])
    model.compile(loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True), optimizer="sgd")
    history = model.fit(dataset.map(lambda batch: (batch["image"], batch["label"])), epochs=2, verbose=0)
    assert len(history.history["loss"]) == 2 and np.isfinite(history.history["loss"]).all()


def test_each_object_is_an_element(objects_folder: str) -> None:
    dataset = make_tf_dataset(objects_folder)
    assert dataset.element_spec == tf.TensorSpec([None], tf.uint8)
    assert [element.numpy().tobytes() for element in dataset] == VALUES
    lengths = make_tf_dataset(objects_folder, map_fn=tf.size)
    assert [int(length) for length in lengths] == [len(value) for value in VALUES]


def test_each_iteration_is_another_shuffled_epoch(objects_folder: str) -> None:
    dataset = make_tf_dataset(objects_folder, shuffle=True, seed=2)
    first, second = ([element.numpy().tobytes() for element in dataset] for _ in range(2))
    assert first != second and sorted(first) == sorted(second) == sorted(VALUES)
