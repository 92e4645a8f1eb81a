"""`headrace.dlio`: records of every format, equal to what the formats' own libraries read."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from pathlib import Path
from typing import Any, Dict, List

import headrace
import numpy as np
import pytest
from headrace import dlio
from headrace._node import command
from headrace.dlio import DlioConfig
from headrace.dlio import records as dlio_records

FILES, SAMPLES = 6, 4


def config_of(folder: str, format: str, **more: Any) -> Dict[str, Any]:
    samples = 1 if format in ("jpeg", "png") else SAMPLES
    return {
        "model": {"name": "test"},
        "framework": "tensorflow" if format == "tfrecord" else "pytorch",
        "workflow": {"generate_data": True, "train": True},
        "dataset": {
            "data_folder": folder,
            "format": format,
            "num_files_train": FILES,
            "num_samples_per_file": samples,
            "record_length_bytes": 48 * 48,
        },
        "reader": {
            "data_loader": "tensorflow" if format == "tfrecord" else "pytorch",
            "batch_size": 4,
            "read_threads": 0,
        },
        **more,
    }


def generate(folder: Path, format: str, *overrides: str) -> Path:
    """A data set, and the config that it is of."""
    path = folder / f"{format}.yaml"
    path.write_text(json.dumps(config_of(str(folder / format), format)))
    line = command("generate", "--config", str(path), *overrides)
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL)
    return path


def files_of(folder: Path, format: str) -> List[Path]:
    return sorted(path for path in (folder / format / "train").iterdir() if path.suffix == f".{format}")


def read_npz(path: Path) -> List[np.ndarray]:
    x = np.load(path)["x"]
    return [x[..., k] for k in range(x.shape[-1])]


def read_npy(path: Path) -> List[np.ndarray]:
    x = np.load(path)
    return [x[..., k] for k in range(x.shape[-1])]


def read_hdf5(path: Path) -> List[np.ndarray]:
    h5py = pytest.importorskip("h5py", reason="h5py is not installed")
    with h5py.File(path) as file:
        return list(file["records_0"][:])


def read_csv(path: Path) -> List[np.ndarray]:
    return list(np.loadtxt(path, delimiter=",", dtype=np.uint8, ndmin=2).reshape(-1, 48, 48))


def read_picture(path: Path) -> List[np.ndarray]:
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    return [np.asarray(image.open(path))]


def read_tfrecord(path: Path) -> List[np.ndarray]:
    tf = pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    kinds = {"image": tf.io.FixedLenFeature([], tf.string), "size": tf.io.FixedLenFeature([], tf.int64)}
    examples = [tf.io.parse_single_example(record, kinds) for record in tf.data.TFRecordDataset(str(path))]
    return [np.frombuffer(example["image"].numpy(), np.uint8).reshape(48, 48) for example in examples]


def read_indexed(path: Path) -> List[np.ndarray]:
    offsets = np.fromfile(f"{path}.off.idx", np.uint64)
    sizes = np.fromfile(f"{path}.sz.idx", np.uint64)
    data = np.fromfile(path, np.uint8)
    return [data[int(at) : int(at) + int(size)].reshape(48, 48) for at, size in zip(offsets, sizes)]


def read_parquet(path: Path) -> List[np.ndarray]:
    parquet = pytest.importorskip("pyarrow.parquet", reason="PyArrow is not installed")
    return [np.asarray(record, np.uint8).reshape(48, 48) for record in parquet.read_table(path)["data"].to_pylist()]


READERS = {
    "npz": read_npz,
    "npy": read_npy,
    "hdf5": read_hdf5,
    "csv": read_csv,
    "jpeg": read_picture,
    "png": read_picture,
    "tfrecord": read_tfrecord,
    "indexed_binary": read_indexed,
    "mmap_indexed_binary": read_indexed,
    "parquet": read_parquet,
}


@pytest.mark.parametrize("format", READERS)
def test_records_are_those_of_the_format_s_library(tmp_path: Path, format: str) -> None:
    path = generate(tmp_path, format)
    expected = [record for file in files_of(tmp_path, format) for record in READERS[format](file)]
    config = DlioConfig.from_file(path)
    with headrace.load(config.dataset(), config.options("pytorch"), tail="short") as loader:
        found = [record for batch in loader for record in batch["data"].copy()]
    assert len(found) == len(expected) == FILES * (1 if format in ("jpeg", "png") else SAMPLES)
    assert all(a.shape == b.shape and a.dtype == b.dtype and (a == b).all() for a, b in zip(found, expected))


def test_records_of_their_own_sizes(tmp_path: Path) -> None:
    document = config_of(str(tmp_path / "npz"), "npz")
    document["dataset"]["record_length_bytes_stdev"] = 1000
    path = tmp_path / "varied.json"
    path.write_text(json.dumps(document))
    subprocess.run(command("generate", "--config", str(path)), check=True, stdout=subprocess.DEVNULL)
    expected = [record for file in files_of(tmp_path, "npz") for record in read_npz(file)]
    config = DlioConfig.from_file(path)
    found = []
    with headrace.load(config.dataset(), batch_size=5) as loader:
        for batch in loader:
            found += [dlio_records.record_of(batch, row, config.dtype) for row in range(batch.meta.size)]
    assert len({record.shape for record in expected}) > 1
    assert len(found) == len(expected) and all((a == b).all() and a.shape == b.shape for a, b in zip(found, expected))


def test_a_data_set_on_s3(s3: str, tmp_path: Path) -> None:
    folder = f"{s3}/npz"
    path = tmp_path / "npz.yaml"
    path.write_text(json.dumps(config_of(folder, "npz")))
    subprocess.run(command("generate", "--config", str(path)), check=True, stdout=subprocess.DEVNULL)
    config = DlioConfig.from_file(path)
    assert config.backend == "s3"
    copy = tmp_path / "copy"
    subprocess.run(command("cp", "-r", f"{folder}/train", str(copy)), check=True, stdout=subprocess.DEVNULL)
    files = sorted(path for path in copy.rglob("*.npz"))
    expected = [record for file in files for record in read_npz(file)]
    with headrace.load(config.dataset(), batch_size=5) as loader:
        found = [record for batch in loader for record in batch["data"].copy()]
    assert len(found) == FILES * SAMPLES and all((a == b).all() for a, b in zip(found, expected))


def test_options_come_from_the_config_its_profile_and_keywords(tmp_path: Path) -> None:
    document = config_of(str(tmp_path), "npz")
    document["framework_profiles"] = {
        "pytorch": {"batch_size": 16, "num_workers": 2, "shuffle": True, "seed": 7, "pin_memory": True},
        "tensorflow": {"batch_size": 24, "prefetch_buffer_size": -1, "drop_remainder": True},
    }
    config = DlioConfig.from_dict(document)
    options = config.options("pytorch", {"seed": 8}, batch_size=12)
    assert (options.batch_size, options.num_workers_value, options.seed) == (12, 2, 8)
    assert options.shuffle_value and options.pin_memory_value
    options = config.options("tensorflow")
    assert (options.batch_size, options.drop_last_value) == (24, True)
    assert config.document["framework_profiles"]["pytorch"]["seed"] == 7


def test_what_is_wrong_with_a_config_is_told(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("dataset: {format: npz, num_files_train: -3}\n")
    with pytest.raises(headrace.HeadraceError, match="num_files_train") as raised:
        DlioConfig.from_file(path)
    assert raised.value.code == "E_CONFIG"
    with pytest.raises(headrace.HeadraceError, match="one of config_path, config_dict and data_folder must be given, but 0 are"):
        dlio.config.config_of(None, None, None)


def test_frameworks_are_told_without_loading_them() -> None:
    info = dlio.get_framework_info()
    assert list(info) == ["pytorch", "tensorflow", "jax"]
    for name, module in (("pytorch", "torch"), ("tensorflow", "tensorflow"), ("jax", "jax")):
        assert info[name]["available"] == (importlib.util.find_spec(module) is not None)
        assert (name in dlio.list_available_frameworks()) == info[name]["available"]
    with pytest.raises(headrace.HeadraceError, match="framework must be one of pytorch, tensorflow, jax, but got 'mxnet'"):
        dlio.create_dataloader("x", framework="mxnet")


def test_pytorch(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from torch.utils.data import DataLoader

    path = generate(tmp_path, "npz")
    expected = [record for file in files_of(tmp_path, "npz") for record in read_npz(file)]
    dataset = dlio.DlioPyTorchDataset(path, shuffle=False)
    assert (dataset.backend_type, dataset.format_type) == ("file", "npz")
    assert dataset.config_info["dataset"]["num_files_train"] == FILES
    assert all((a.numpy() == b).all() for a, b in zip(dataset, expected))
    pairs = list(dlio.DlioPyTorchDataset(data_folder=tmp_path / "npz", labels=True))
    assert len(pairs) == len(expected) and all(label == 0 for _, label in pairs)
    data = list(dlio.DlioPyTorchDataset(path, shuffle=False, pytorch_config={"return_type": "bytes"}))
    assert data == [record.tobytes() for record in expected]
    loader = DataLoader(dlio.DlioPyTorchDataset(path), batch_size=3, num_workers=2, multiprocessing_context="fork")
    shared = sorted(sample.numpy().tobytes() for batch in loader for sample in batch)
    assert shared == sorted(record.tobytes() for record in expected)
    batches = list(dlio.create_dataloader(path, "pytorch", shuffle=False, batch_size=5, slots=16))
    assert torch.equal(batches[0]["data"], torch.from_numpy(np.stack(expected[:5])))
    assert batches[0]["label"].tolist() == [0] * 5


def test_tensorflow(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    path = generate(tmp_path, "tfrecord")
    expected = np.stack([record for file in files_of(tmp_path, "tfrecord") for record in read_tfrecord(file)])
    dataset = dlio.DlioTensorFlowDataset(path, tensorflow_config={"batch_size": 6}, shuffle=False)
    batches = [batch.numpy() for batch in dataset.create_dataset()]
    assert [len(batch) for batch in batches] == [6] * 4
    assert (np.concatenate(batches) == expected).all()


def test_jax(tmp_path: Path) -> None:
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    path = generate(tmp_path, "hdf5")
    expected = np.stack([record for file in files_of(tmp_path, "hdf5") for record in read_hdf5(file)])
    batches = []
    for batch in dlio.DlioJaxDataset(path, shuffle=False, batch_size=5, drop_last=False).create_iterable():
        assert isinstance(batch["data"], jax.Array)
        batches.append(np.array(batch["data"]))
    assert (np.concatenate(batches) == expected).all()
