"""What a config says of a data set and of its loader. DLIO's and dl-driver's forms are told apart by the engine."""

from __future__ import annotations

import json
import os
import tempfile
from typing import Any, Dict, Mapping, Optional, Union

from .._checks import refuse
from .._node import run_json
from ..datasets import Dataset, absolute_url, records
from ..errors import HeadraceError
from ..options import LoaderOptions

ConfigSource = Union[str, "os.PathLike[str]", Mapping[str, Any]]

_EXTENSIONS = (".yaml", ".yml", ".json")
#: Formats whose files say shape and type of their records themselves.
_SELF_DESCRIBED = ("npz", "npy", "hdf5", "jpeg", "png", "parquet", "synthetic")

#: Keys of a framework's profile, and options that they are.
_PROFILE_OPTIONS: Mapping[str, Mapping[str, str]] = {
    "pytorch": {
        "batch_size": "batch_size",
        "num_workers": "num_workers",
        "shuffle": "shuffle",
        "seed": "seed",
        "drop_last": "drop_last",
        "prefetch_factor": "prefetch",
        "pin_memory": "pin_memory",
        "persistent_workers": "persistent_workers",
    },
    "tensorflow": {
        "batch_size": "batch_size",
        "num_parallel_calls": "num_workers",
        "prefetch_buffer_size": "prefetch",
        "seed": "seed",
        "drop_remainder": "drop_last",
    },
    "jax": {"batch_size": "batch_size", "prefetch_buffer_size": "prefetch", "prefetch": "prefetch", "seed": "seed"},
}


class DlioConfig:
    """A config, or only where the data are. E_CONFIG with the place of what is wrong."""

    def __init__(self, document: Mapping[str, Any], source: Mapping[str, Any]) -> None:
        #: As it was written, credentials left out.
        self.document = dict(document)
        self._source = dict(source)

    @classmethod
    def open(cls, source: ConfigSource) -> "DlioConfig":
        """Of a file, a dict, or the folder or URL of a data set."""
        if isinstance(source, Mapping):
            return cls.from_dict(source)
        path = os.fspath(source)
        if "://" not in path and path.lower().endswith(_EXTENSIONS):
            return cls.from_file(path)
        return cls.from_folder(path)

    @classmethod
    def from_file(cls, path: Union[str, "os.PathLike[str]"]) -> "DlioConfig":
        found = run_json("validate", "-c", os.fspath(path), "--to-json")
        source = found.pop("source")
        return cls(found, source)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "DlioConfig":
        # JSON is YAML.
        with tempfile.NamedTemporaryFile("w", suffix=".json", prefix="headrace-dlio-") as file:
            json.dump(document, file)
            file.flush()
            return cls.from_file(file.name)

    @classmethod
    def from_folder(cls, url: str) -> "DlioConfig":
        """Files as they are found; those below `train` where there is such a folder."""
        where = absolute_url(url).rstrip("/")
        if "://" not in where and os.path.isdir(os.path.join(where, "train")):
            where = os.path.join(where, "train")
        return cls({}, {"train": where, "format": None, "framework": None, "shape": None, "dtype": None})

    @property
    def framework(self) -> Optional[str]:
        """The one that the config names."""
        return self._source["framework"]

    @property
    def format(self) -> Optional[str]:
        """Of the files; None where they are to be told by their names."""
        return self._source["format"]

    @property
    def backend(self) -> str:
        """Where the files are: file, direct, s3, az or gs."""
        scheme, mark, _ = self._source["train"].partition("://")
        return scheme if mark else "file"

    @property
    def dtype(self) -> Optional[str]:
        """Of a record's elements."""
        return self._source["dtype"]

    def dataset(self, part: str = "train") -> Dataset:
        """The files to train with, or those to evaluate with (`valid`)."""
        url = self._source.get(part)
        if url is None:
            raise HeadraceError("E_CONFIG", f"the config has no files for {part!r}")
        self._check_credentials()
        options: Dict[str, Any] = {}
        if self.format is not None:
            options["format"] = self.format
        if self.format is not None and self.format not in _SELF_DESCRIBED and self._source.get("shape") is not None:
            options["shape"], options["dtype"] = self._source["shape"], self.dtype
        return records(url, **options)

    def _check_credentials(self) -> None:
        """Keys in a config are not read here: they would have to be told to the engine."""
        body = self.document.get("workload", self.document)
        storage = body.get("storage") or {}
        named = storage.get("storage_options") or storage
        if self.backend == "s3" and named.get("secret_access_key") is not None and "AWS_SECRET_ACCESS_KEY" not in os.environ:
            raise HeadraceError(
                "E_CREDENTIALS",
                "the config holds credentials, which are taken from the environment here",
                {"hint": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"},
            )

    def profile(self, framework: str) -> Dict[str, Any]:
        """What the config says for one framework: `FRAMEWORK_config`, and below it `framework_profiles.FRAMEWORK`."""
        body = self.document.get("workload", self.document)
        profiles = body.get("framework_profiles") or {}
        return {**(profiles.get(framework) or {}), **(body.get(f"{framework}_config") or {})}

    def options(self, framework: str, profile: Optional[Mapping[str, Any]] = None, **more: Any) -> LoaderOptions:
        """Options of the config, of the framework's profile, of `profile`, and of the keywords: the last one wins."""
        given = dict(self.document.get("loader_options") or {})
        found: Dict[str, Any] = {
            name: given[name] for name in ("batch_size", "drop_last", "shuffle", "num_workers", "prefetch", "seed") if name in given
        }
        meanings = _PROFILE_OPTIONS[framework]
        for each in (self.profile(framework), profile or {}):
            for key, value in each.items():
                # A number below 0 says "choose yourself".
                if key in meanings and value is not None and not (isinstance(value, int) and value < 0):
                    found[meanings[key]] = value
        found.update(more)
        return LoaderOptions(**found)


def config_of(
    config_path: Optional[ConfigSource],
    config_dict: Optional[Mapping[str, Any]],
    data_folder: Optional[Union[str, "os.PathLike[str]"]],
) -> DlioConfig:
    """The one that is given. E_USAGE for none or several."""
    given = [each for each in (config_path, config_dict, data_folder) if each is not None]
    if len(given) != 1:
        refuse(f"one of config_path, config_dict and data_folder must be given, but {len(given)} are")
    if config_path is not None:
        return DlioConfig.open(config_path)
    return DlioConfig.from_dict(config_dict) if config_dict is not None else DlioConfig.from_folder(os.fspath(data_folder or ""))
