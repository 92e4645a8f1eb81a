"""Datasets are specs: what the engine is told."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import headrace
import pytest
from headrace.datasets import spec_of


def test_urls_stay_and_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    here = os.getcwd()
    assert headrace.objects("s3://bucket/a b", include="*.jpg").spec == {
        "kind": "objects",
        "url": "s3://bucket/a b",
        "include": ["*.jpg"],
    }
    assert headrace.objects("data/").spec == {"kind": "objects", "url": f"{here}/data/"}
    assert headrace.objects("direct://data", manifest="list.zst").spec == {
        "kind": "objects",
        "url": f"direct://{here}/data",
        "manifest": f"{here}/list.zst",
    }
    assert headrace.records(Path("set"), samples_per_file=4).spec == {"kind": "records", "url": f"{here}/set", "samplesPerFile": 4}


def test_datasets_of_datasets() -> None:
    a, b = headrace.objects("s3://a"), headrace.parquet("s3://b", columns=("x", "y"))
    assert b.spec == {"kind": "parquet", "url": "s3://b", "columns": ["x", "y"]}
    assert headrace.concat([a, b]).spec == {"kind": "concat", "datasets": [a.spec, b.spec]}
    assert headrace.mix([a, b], [1, 3], seed=2).spec == {
        "kind": "mix",
        "datasets": [a.spec, b.spec],
        "weights": [1.0, 3.0],
        "seed": 2,
    }
    assert a.subset(range(2, 6, 2)).spec == {"kind": "subset", "dataset": a.spec, "ids": [2, 4]}
    parts = a.split({"train": 0.75, "valid": 0.25}, seed=1)
    assert list(parts) == ["train", "valid"]
    assert parts["valid"].spec == {
        "kind": "split",
        "dataset": a.spec,
        "parts": {"train": 0.75, "valid": 0.25},
        "part": "valid",
        "seed": 1,
    }
    assert pickle.loads(pickle.dumps(parts["valid"])) == parts["valid"]


def test_a_text_is_a_cache_or_objects(tmp_path: Path) -> None:
    assert spec_of(str(tmp_path)) == {"kind": "objects", "url": str(tmp_path)}
    (tmp_path / "manifest.json").write_text("{}")
    assert spec_of(tmp_path) == {"kind": "cache", "path": str(tmp_path)}
    assert spec_of({"kind": "synthetic", "samples": 3}) == {"kind": "synthetic", "samples": 3}
    with pytest.raises(headrace.HeadraceError, match="a source must be a dataset, a path or a URL, but got 3"):
        spec_of(3)  # type: ignore[arg-type]


def test_operations_on_images_are_data() -> None:
    assert headrace.random_resized_crop(224, scale=(0.3, 1)) == {"op": "randomResizedCrop", "size": 224, "scale": [0.3, 1]}
    assert headrace.center_crop((224, 160), ratio=0.875) == {"op": "centerCrop", "size": [224, 160], "ratio": 0.875}
    assert headrace.resize_center_crop(256, 224) == {"op": "resizeCenterCrop", "resize": 256, "size": 224}
    assert headrace.decode(dct="ifast", fancy_upsampling=False) == {"op": "decode", "dct": "ifast", "fancyUpsampling": False}
    assert headrace.random_horizontal_flip() == {"op": "randomHorizontalFlip", "p": 0.5}
    assert headrace.normalize() == {"op": "normalize", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
    assert headrace.pipeline("train", size=160) == {"preset": "train", "size": 160}
