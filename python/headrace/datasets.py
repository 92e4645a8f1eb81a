"""Sources of samples, as specs that the engine opens: nothing is read before a loader asks for it."""

from __future__ import annotations

import os
from typing import Any, Dict, Mapping, Optional, Sequence, Union

from ._checks import refuse

#: Where options hold paths or URLs of files, which mean something in this process's folder.
_PLACES = ("url", "path", "manifest", "index")


class Dataset:
    """What samples are loaded from: a spec, plain data, which any process can open. See the functions of this module."""

    __slots__ = ("spec",)

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self.spec: Dict[str, Any] = dict(spec)

    def subset(
        self,
        ids: Optional[Sequence[int]] = None,
        *,
        start: Optional[int] = None,
        end: Optional[int] = None,
        step: Optional[int] = None,
    ) -> "Dataset":
        """Some samples: those of `ids`, in that order, or from `start` to before `end`, every `step`-th."""
        listed = None if ids is None else [int(id) for id in ids]
        return _dataset("subset", dataset=self.spec, ids=listed, start=start, end=end, step=step)

    def split(
        self, parts: Mapping[str, float], *, seed: Optional[int] = None, order: Optional[str] = None
    ) -> Dict[str, "Dataset"]:
        """Disjoint parts by name and share: ``{"train": 0.9, "valid": 0.1}``. By `seed`, or `order="contiguous"`."""
        shares = {name: float(share) for name, share in parts.items()}
        return {
            name: _dataset("split", dataset=self.spec, parts=shares, part=name, seed=seed, order=order) for name in shares
        }

    def __eq__(self, other: object) -> bool:
        return self.spec == other.spec if isinstance(other, Dataset) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        options = ", ".join(f"{key}={value!r}" for key, value in self.spec.items() if key != "kind")
        return f"Dataset({self.spec.get('kind')!r}, {options})"

    def __getstate__(self) -> Dict[str, Any]:
        return self.spec

    def __setstate__(self, spec: Dict[str, Any]) -> None:
        self.spec = spec


Source = Union[Dataset, Mapping[str, Any], str, "os.PathLike[str]"]


def absolute_url(url: Union[str, "os.PathLike[str]"]) -> str:
    """A URL as it is; a path made absolute, since the engine works in another folder."""
    text = os.fspath(url)
    scheme, mark, rest = text.partition("://")
    if not mark:
        return os.path.abspath(text) + ("/" if text.endswith("/") else "")
    if scheme in ("file", "direct") and not rest.startswith("/"):
        return f"{scheme}://{os.path.abspath(rest)}" + ("/" if rest.endswith("/") else "")
    return text


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(each.capitalize() for each in others)


def _dataset(kind: str, **options: Any) -> Dataset:
    spec: Dict[str, Any] = {"kind": kind}
    for name, value in options.items():
        if value is None:
            continue
        if name in _PLACES:
            value = absolute_url(value)
        elif isinstance(value, tuple):
            value = list(value)
        spec[_camel(name)] = value
    return Dataset(spec)


def _globs(patterns: Union[str, Sequence[str], None]) -> Optional[Sequence[str]]:
    return [patterns] if isinstance(patterns, str) else None if patterns is None else list(patterns)


def objects(
    url: str,
    *,
    include: Union[str, Sequence[str], None] = None,
    exclude: Union[str, Sequence[str], None] = None,
    manifest: Optional[str] = None,
    **options: Any,
) -> Dataset:
    """Every object below a URL or file below a folder: `data`, its bytes, and `key`.

    `include` and `exclude` are patterns such as ``*.jpg``; `manifest` is what ``headrace manifest build`` wrote.
    """
    return _dataset("objects", url=url, include=_globs(include), exclude=_globs(exclude), manifest=manifest, **options)


def jsonl(url: str, *, fields: Optional[Sequence[str]] = None, **options: Any) -> Dataset:
    """Lines of JSON: `line`, or the keys that `fields` names."""
    return _dataset("jsonl", url=url, fields=fields, **options)


def tfrecord(url: str, **options: Any) -> Dataset:
    """Records of TFRecord files: `record`, or the features that are asked for."""
    return _dataset("tfrecord", url=url, **options)


def webdataset(url: str, **options: Any) -> Dataset:
    """Tar shards, whose members are grouped into samples by key: a field an extension, and `key`."""
    return _dataset("webdataset", url=url, **options)


def parquet(url: str, *, columns: Optional[Sequence[str]] = None, **options: Any) -> Dataset:
    """Rows of Parquet files: a field a column; of `columns` alone, and nothing else is fetched."""
    return _dataset("parquet", url=url, columns=columns, **options)


def records(url: str, **options: Any) -> Dataset:
    """Samples of npz, npy, HDF5, CSV, TFRecord or indexed files as DLIO makes them: `data`, and `label` where there is one."""
    return _dataset("records", url=url, **options)


def image_folder(path: str) -> Dataset:
    """A folder of pictures, a class a subfolder: `image`, `label`, and so on."""
    return _dataset("image-folder", url=path)


def image_cache(path: str) -> Dataset:
    """An image cache, as `build_image_cache` or ``headrace cache build`` makes it."""
    return _dataset("cache", path=path)


def synthetic(samples: int, **options: Any) -> Dataset:
    """Samples by arithmetic, for tests: `data`, of `size` bytes or of `shape` and `dtype`."""
    return _dataset("synthetic", samples=samples, **options)


def concat(datasets: Sequence[Dataset]) -> Dataset:
    """One dataset behind the other."""
    return _dataset("concat", datasets=[spec_of(each) for each in datasets])


def mix(datasets: Sequence[Dataset], weights: Sequence[float], **options: Any) -> Dataset:
    """Samples of several datasets in the shares that `weights` say, spread evenly."""
    return _dataset("mix", datasets=[spec_of(each) for each in datasets], weights=[float(w) for w in weights], **options)


def is_image_cache(path: str) -> bool:
    """Whether a folder is an image cache: it has a manifest."""
    return "://" not in path and os.path.isfile(os.path.join(path, "manifest.json"))


def spec_of(source: Source) -> Dict[str, Any]:
    """The spec of a source. A text is the path of an image cache, or else of objects."""
    if isinstance(source, Dataset):
        return source.spec
    if isinstance(source, Mapping):
        if not isinstance(source.get("kind"), str):
            refuse(f"a dataset's spec must have a kind, but got {dict(source)!r}")
        return dict(source)
    if isinstance(source, (str, os.PathLike)):
        text = os.fspath(source)
        return (image_cache(text) if is_image_cache(text) else objects(text)).spec
    return refuse(f"a source must be a dataset, a path or a URL, but got {source!r}")
