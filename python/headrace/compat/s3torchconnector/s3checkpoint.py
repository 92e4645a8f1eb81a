from __future__ import annotations

from typing import Optional

from ._s3client import S3Client, S3ClientConfig
from ._uri import parse_s3_uri
from .s3reader import S3Reader
from .s3writer import S3Writer


class S3Checkpoint:
    """Files for `torch.save` and `torch.load` that are objects in S3."""

    def __init__(
        self, region: str, endpoint: Optional[str] = None, s3client_config: Optional[S3ClientConfig] = None
    ) -> None:
        self.region = region
        self.endpoint = endpoint
        self._client = S3Client(region, endpoint=endpoint, s3client_config=s3client_config)

    def reader(self, s3_uri: str) -> S3Reader:
        bucket, key = parse_s3_uri(s3_uri)
        return self._client.get_object(bucket, key)

    def writer(self, s3_uri: str) -> S3Writer:
        bucket, key = parse_s3_uri(s3_uri)
        return self._client.put_object(bucket, key)
