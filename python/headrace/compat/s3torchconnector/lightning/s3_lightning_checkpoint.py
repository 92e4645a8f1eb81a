from __future__ import annotations

from typing import Any, Dict, Optional

import torch
from lightning.pytorch.plugins.io import CheckpointIO

from .._s3client import S3Client, S3ClientConfig
from .._uri import parse_s3_uri


class S3LightningCheckpoint(CheckpointIO):
    """What `Trainer(plugins=[S3LightningCheckpoint(region)])` writes its checkpoints with."""

    def __init__(
        self, region: str, s3client_config: Optional[S3ClientConfig] = None, endpoint: Optional[str] = None
    ) -> None:
        self.region = region
        self._client = S3Client(region, endpoint=endpoint, s3client_config=s3client_config)

    def save_checkpoint(self, checkpoint: Dict[str, Any], path: str, storage_options: Optional[Any] = None) -> None:
        if storage_options is not None:
            raise TypeError("S3LightningCheckpoint has no storage_options")
        bucket, key = _place(path)
        with self._client.put_object(bucket, key) as writer:
            torch.save(checkpoint, writer)

    def load_checkpoint(
        self, path: str, map_location: Optional[Any] = None, weights_only: Optional[bool] = None
    ) -> Dict[str, Any]:
        bucket, key = _place(path)
        options = {} if weights_only is None else {"weights_only": weights_only}
        with self._client.get_object(bucket, key) as reader:
            return torch.load(reader, map_location, **options)

    def remove_checkpoint(self, path: str) -> None:
        self._client.delete_object(*_place(path))

    def teardown(self) -> None:
        """Nothing is left open."""


def _place(path: Any) -> "tuple[str, str]":
    if not isinstance(path, str):
        raise TypeError(f"{type(path).__name__!r} is not a supported type for 'path': it must be an S3 URI as a string")
    return parse_s3_uri(path)
