"""`headrace.torch`: tensors of shared memory, and datasets of objects in DataLoader."""

from __future__ import annotations

import gc
import json
import pickle
import warnings
from collections import Counter
from typing import Any, List

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

import headrace  # noqa: E402
import headrace.torch  # noqa: E402
import numpy as np  # noqa: E402
from object_set import OBJECTS  # noqa: E402
from headrace.torch import ObjectStoreIterableDataset, ObjectStoreMapDataset, data_loader  # noqa: E402
from torch.utils.data import DataLoader, get_worker_info  # noqa: E402

VALUES = list(OBJECTS.values())


def bytes_of(samples: Any) -> List[bytes]:
    return [sample.numpy().tobytes() for sample in samples]


# Batches --------------------------------------------------------------------------------------------------------------


def test_tensors_are_the_numpy_batches(photos_cache: str) -> None:
    options = headrace.LoaderOptions(batch_size=4, image="train", shuffle=True, seed=3, num_workers=0)
    with headrace.load(photos_cache, options) as arrays, headrace.torch.load(photos_cache, options) as tensors:
        for expected, found in zip(arrays, tensors):
            assert found["image"].dtype == torch.uint8 and (found["image"].numpy() == expected["image"]).all()
            assert found["label"].tolist() == expected["label"].tolist()
            assert found.meta.index.tolist() == expected.meta.index.tolist()


def test_a_tensor_is_the_memory_of_the_engine(photos_cache: str) -> None:
    # Writing through a NumPy view of the tensor is seen by the tensor, and what a tensor holds stays while it is there.
    with headrace.torch.load(photos_cache, batch_size=4, image="train", slots=2, prefetch=1) as loader:
        batches = iter(loader)
        image = next(batches)["image"]
        assert image.data_ptr() % 64 == 0
        image.numpy()[0, 0, 0, 0] = 77
        assert int(image[0, 0, 0, 0]) == 77
        part = image[1:2]
        expected = part.clone()
        del image
        gc.collect()
        second = next(batches)
        with pytest.raises(headrace.Starved):
            next(batches)
        assert torch.equal(part, expected)
        del part, second
        gc.collect()
        assert len(list(batch.meta.step for batch in batches)) == 4
        addresses = {batch["image"].data_ptr() for batch in loader}
    assert len(addresses) < 6, "slots are used again"


def test_labels_train_a_model(photos_cache: str) -> None:
    torch.manual_seed(0)
    model = torch.nn.Linear(3 * 32 * 32, 10)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    image = [headrace.random_resized_crop(32), headrace.normalize()]
    losses = []
    with headrace.torch.load(photos_cache, batch_size=8, image=image, shuffle=True, memory_format="channels_first") as loader:
        for _ in range(8):
            for batch in loader:
                loss = torch.nn.functional.cross_entropy(model(batch["image"].flatten(1)), batch["label"].long())
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(float(loss.detach()))
    assert len(losses) == 24 and all(np.isfinite(losses))


def test_float16(photos_cache: str) -> None:
    image = [headrace.center_crop(16), headrace.normalize()]
    with headrace.torch.load(photos_cache, batch_size=2, image=image, dtype="float16") as loader:
        assert next(iter(loader))["image"].dtype == torch.float16


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_pinning_without_cuda_says_so_and_loads(photos_cache: str) -> None:
    with headrace.torch.load(photos_cache, batch_size=4, image="train", pin_memory=True) as loader:
        with pytest.warns(RuntimeWarning, match="there is no CUDA device"):
            batch = next(iter(loader))
        assert not loader.is_pinned and not batch["image"].is_pinned()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_memory_is_pinned_once_and_copied_without_waiting(photos_cache: str) -> None:
    options = headrace.LoaderOptions(batch_size=4, image="train").gpu_optimized().channels_last()
    with headrace.load(photos_cache, options) as arrays:
        expected = [batch["image"].copy() for batch in arrays]
    with headrace.torch.load(photos_cache, options) as loader:
        assert all(batch["image"].is_pinned() for batch in loader) and loader.is_pinned
    with headrace.torch.load(photos_cache, options, device="cuda") as loader:
        found = [batch["image"] for batch in loader]
    torch.cuda.synchronize()
    assert all(image.is_cuda and (image.cpu().numpy() == other).all() for image, other in zip(found, expected))


# Objects --------------------------------------------------------------------------------------------------------------


def test_each_object_is_a_tensor(objects_folder: str) -> None:
    samples = list(ObjectStoreIterableDataset.from_prefix(objects_folder))
    assert all(sample.dtype == torch.uint8 and sample.dim() == 1 for sample in samples)
    assert bytes_of(samples) == VALUES


def test_bytes_and_readers(objects_folder: str) -> None:
    assert list(ObjectStoreIterableDataset.from_prefix(objects_folder, return_type="bytes")) == VALUES
    readers = list(ObjectStoreIterableDataset.from_prefix(objects_folder, return_type="reader"))
    assert [reader.key for reader in readers] == list(OBJECTS)
    reader = readers[1]
    with reader:
        assert len(reader) == 137 and reader.read(100) == VALUES[1][:100]
        assert reader.readall() == VALUES[1][100:] and reader.read(1) == b""
    with pytest.raises(ValueError, match="closed"):
        reader.read()
    with pytest.raises(headrace.HeadraceError, match="return_type must be one of tensor, bytes, reader"):
        ObjectStoreIterableDataset.from_prefix(objects_folder, return_type="array")


def test_samples_that_may_be_written_and_those_that_may_not(objects_folder: str) -> None:
    sample = next(iter(ObjectStoreIterableDataset.from_prefix(objects_folder, writable=True)))
    sample[0] = 7
    assert int(sample[0]) == 7
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        next(iter(ObjectStoreIterableDataset.from_prefix(objects_folder)))
    loud = ObjectStoreIterableDataset.from_prefix(objects_folder, suppress_nonwritable_warning=False)
    torch.set_warn_always(True)  # PyTorch says it once in a process otherwise.
    try:
        with pytest.warns(UserWarning, match="not writable"):
            next(iter(loud))
    finally:
        torch.set_warn_always(False)


def test_shuffled_objects_by_range_reads_of_s3(s3_objects: str) -> None:
    options = {"shuffle": True, "seed": 4, "reader_mode": "range", "part_size": 65_536, "max_inflight_parts": 3}
    dataset = ObjectStoreIterableDataset.from_prefix(s3_objects, return_type="bytes", **options)
    first, second = list(dataset), list(dataset)
    assert sorted(first) == sorted(second) == sorted(VALUES) and first != second
    again = ObjectStoreIterableDataset.from_prefix(s3_objects, return_type="bytes", **options)
    again.set_epoch(1)
    assert list(again) == second


def test_drop_last_leaves_out_the_last_samples(objects_folder: str) -> None:
    dataset = ObjectStoreIterableDataset.from_prefix(objects_folder, batch_size=8, drop_last=True, return_type="bytes")
    assert list(dataset) == VALUES[:40]


def test_a_map_of_objects(objects_folder: str) -> None:
    dataset = ObjectStoreMapDataset.from_prefix(objects_folder)
    assert len(dataset) == len(VALUES) and dataset.keys == list(OBJECTS)
    assert dataset[3].numpy().tobytes() == VALUES[3] and dataset[-1].numpy().tobytes() == VALUES[-1]
    with pytest.raises(IndexError, match=f"there are {len(VALUES)} objects"):
        dataset[len(VALUES)]
    assert bytes_of(dataset.__getitems__([5, 2, 41])) == [VALUES[5], VALUES[2], VALUES[41]]


@pytest.mark.parametrize("mode", ["sequential", "range"])
def test_a_map_of_objects_of_s3(s3_objects: str, mode: str) -> None:
    dataset = ObjectStoreMapDataset(s3_objects, reader_mode=mode, part_size=65_536, return_type="bytes")
    assert dataset.keys == list(OBJECTS)
    assert [dataset[i] for i in range(len(dataset))] == VALUES
    loader = DataLoader(dataset, batch_size=5, shuffle=True, collate_fn=list)
    assert sorted(data for batch in loader for data in batch) == sorted(VALUES)


def test_nothing_below_a_prefix_is_told(s3: str) -> None:
    with pytest.raises(headrace.HeadraceError) as raised:
        len(ObjectStoreMapDataset(f"{s3}/nothing"))
    assert raised.value.code == "E_NOT_FOUND"
    with pytest.raises(headrace.HeadraceError) as raised:
        list(ObjectStoreIterableDataset.from_prefix(f"{s3}/nothing"))
    assert raised.value.code == "E_NOT_FOUND"


# Workers --------------------------------------------------------------------------------------------------------------


def identity(batch: List[Any]) -> List[Any]:
    return batch


class WithWorker(ObjectStoreIterableDataset):
    """Says which worker gave a sample, how it was started, and whether it is the same as before."""

    def __iter__(self) -> Any:
        import multiprocessing
        import os

        info = get_worker_info()
        method = multiprocessing.get_start_method(allow_none=True)
        parent = multiprocessing.parent_process()
        for sample in super().__iter__():
            yield info.id, os.getpid(), parent is not None, method, sample


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("workers", [1, 3])
def test_workers_share_the_objects(objects_folder: str, method: str, workers: int) -> None:
    dataset = ObjectStoreIterableDataset.from_prefix(objects_folder, enable_sharding=True, return_type="bytes", shuffle=True)
    loader = DataLoader(dataset, batch_size=4, num_workers=workers, multiprocessing_context=method, collate_fn=identity)
    assert sorted(data for batch in loader for data in batch) == sorted(VALUES)


class WithEngine(ObjectStoreIterableDataset):
    """Says which engine a worker uses."""

    def __iter__(self) -> Any:
        for _ in super().__iter__():
            loader = self._stream._loader
            assert loader is not None and loader._channel is not None
            yield loader._channel._engine_pid


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_all_workers_use_one_engine(objects_folder: str, method: str) -> None:
    from headrace._engine import Engine

    dataset = WithEngine(headrace.objects(objects_folder))
    loader = DataLoader(dataset, batch_size=None, num_workers=2, multiprocessing_context=method)
    assert set(loader) == {Engine.get().pid}


def test_without_sharding_every_worker_gives_all(objects_folder: str) -> None:
    dataset = ObjectStoreIterableDataset.from_prefix(objects_folder, return_type="bytes")
    loader = DataLoader(dataset, batch_size=None, num_workers=2, multiprocessing_context="fork")
    assert Counter(loader) == Counter({data: 2 for data in VALUES})


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_map_is_read_by_workers(s3_objects: str, method: str) -> None:
    dataset = ObjectStoreMapDataset(s3_objects, return_type="bytes")
    assert len(dataset) == len(VALUES)
    loader = DataLoader(dataset, batch_size=4, num_workers=2, multiprocessing_context=method, collate_fn=identity)
    assert [data for batch in loader for data in batch] == VALUES


def test_the_options_start_the_workers(objects_folder: str) -> None:
    dataset = WithWorker(headrace.objects(objects_folder), enable_sharding=True, return_type="bytes")
    options = headrace.LoaderOptions(batch_size=4, num_workers_pytorch=2, persistent_workers=True).use_forkserver()
    loader = data_loader(dataset, options)
    first = [sample for batch in loader for sample in batch]
    second = [sample for batch in loader for sample in batch]
    assert {worker for worker, *_ in first} == {0, 1}
    assert {pid for _, pid, *_ in first} == {pid for _, pid, *_ in second}, "persistent workers stay"
    assert {method for *_, method, _ in first} == {"forkserver"}
    del loader
    short_lived = data_loader(dataset, options.persistent_workers(False).use_spawn())
    pids = [{sample[1] for batch in short_lived for sample in batch} for _ in range(2)]
    assert pids[0].isdisjoint(pids[1])


def test_an_epoch_is_chosen_for_workers(objects_folder: str) -> None:
    dataset = ObjectStoreIterableDataset.from_prefix(objects_folder, shuffle=True, return_type="bytes")
    loader = DataLoader(dataset, batch_size=None, num_workers=1, multiprocessing_context="fork")
    orders = []
    for epoch in (0, 1, 0):
        dataset.set_epoch(epoch)
        orders.append(list(loader))
    assert orders[0] == orders[2] != orders[1]


# State ----------------------------------------------------------------------------------------------------------------


def test_every_sample_is_one_to_go_on_from(objects_folder: str) -> None:
    def dataset() -> ObjectStoreIterableDataset:
        return ObjectStoreIterableDataset.from_prefix(objects_folder, shuffle=True, seed=2, return_type="bytes")

    whole = list(dataset())
    for count in (0, 1, 15, 16, 17, 42):
        begun = dataset()
        samples = iter(begun)
        assert [next(samples) for _ in range(count)] == whole[:count]
        state = json.loads(json.dumps(begun.state_dict()))
        other = dataset()
        other.load_state_dict(state)
        assert list(other) == whole[count:]
        copied = pickle.loads(pickle.dumps(begun))
        assert list(copied) == whole[count:]


def test_stateful_data_loader(objects_folder: str) -> None:
    stateful = pytest.importorskip("torchdata.stateful_dataloader", reason="torchdata is not installed")

    def loader() -> Any:
        dataset = ObjectStoreIterableDataset.from_prefix(
            objects_folder, enable_sharding=True, shuffle=True, seed=2, return_type="bytes"
        )
        return stateful.StatefulDataLoader(
            dataset, batch_size=4, num_workers=2, collate_fn=identity, multiprocessing_context="fork"
        )

    whole = list(loader())
    for count in (1, 5):
        begun = loader()
        batches = iter(begun)
        assert [next(batches) for _ in range(count)] == whole[:count]
        state = begun.state_dict()
        del batches
        other = loader()
        other.load_state_dict(state)
        assert list(other) == whole[count:]
