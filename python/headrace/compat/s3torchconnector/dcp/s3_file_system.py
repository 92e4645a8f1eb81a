from __future__ import annotations

import dataclasses
import io
import os
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generator, List, Optional, Union

from torch.distributed.checkpoint.filesystem import FileSystemBase, FileSystemReader, FileSystemWriter
from torch.distributed.checkpoint.planner import LoadPlan, SavePlan

from .._exception import NO_OBJECT, S3Exception
from .._s3client import S3Client, S3ClientConfig
from .._uri import parse_s3_uri
from ..s3reader import DCPS3ReaderConstructorProtocol, S3ReaderConstructor, S3ReaderConstructorProtocol
from .s3_prefix_strategy import DefaultPrefixStrategy, S3PrefixStrategyBase

AnyPath = Union[str, "os.PathLike[str]"]


class S3FileSystem(FileSystemBase):
    """What PyTorch's distributed checkpoints need of a file system, over objects in S3."""

    def __init__(
        self,
        region: str,
        s3_client: Optional[S3Client] = None,
        s3client_config: Optional[S3ClientConfig] = None,
        reader_constructor: Optional[S3ReaderConstructorProtocol] = None,
    ) -> None:
        self._path: AnyPath = ""
        self._reader_constructor = reader_constructor or S3ReaderConstructor.default()
        self._client = s3_client or S3Client(region, s3client_config=s3client_config)

    @contextmanager
    def create_stream(self, path: AnyPath, mode: str) -> Generator[io.IOBase, None, None]:
        """A file that is read ("rb") or written ("wb"); ValueError for another mode."""
        bucket, key = parse_s3_uri(str(path))
        if mode == "wb":
            with self._client.put_object(bucket, key) as writer:
                yield writer
        elif mode == "rb":
            with self._client.get_object(bucket, key, reader_constructor=self._reader_constructor) as reader:
                yield reader
        else:
            raise ValueError(f"mode must be 'rb' or 'wb', but got {mode!r}")

    def concat_path(self, path: AnyPath, suffix: str) -> str:
        return os.path.join(os.fspath(path), suffix)

    def init_path(self, path: AnyPath) -> AnyPath:
        self._path = path
        return path

    def rename(self, old_path: AnyPath, new_path: AnyPath) -> None:
        """A copy, then a delete. ValueError between two buckets."""
        old_bucket, old_key = parse_s3_uri(str(old_path))
        new_bucket, new_key = parse_s3_uri(str(new_path))
        if old_bucket != new_bucket:
            raise ValueError(f"{old_path} cannot be renamed to {new_path}: the buckets are different")
        self._client.copy_object(old_bucket, old_key, new_bucket, new_key)
        self._client.delete_object(old_bucket, old_key)

    def mkdir(self, path: AnyPath) -> None:
        """Nothing: S3 has no folders."""

    def exists(self, path: AnyPath) -> bool:
        bucket, key = parse_s3_uri(str(path))
        try:
            self._client.head_object(bucket, key)
        except S3Exception as error:
            if str(error) == NO_OBJECT:
                return False
            raise
        return True

    def rm_file(self, path: AnyPath) -> None:
        self._client.delete_object(*parse_s3_uri(str(path)))

    @classmethod
    def validate_checkpoint_id(cls, checkpoint_id: AnyPath) -> bool:
        if isinstance(checkpoint_id, Path):
            return True
        try:
            parse_s3_uri(str(checkpoint_id))
        except ValueError:
            return False
        return True


@dataclasses.dataclass
class StorageMetadata:
    """What the writer's planner gives to each rank: how the names of its files begin."""

    prefix: str


class S3StorageWriter(FileSystemWriter):
    """For `torch.distributed.checkpoint.save(..., storage_writer=)`."""

    def __init__(
        self,
        region: str,
        path: str,
        s3client_config: Optional[S3ClientConfig] = None,
        prefix_strategy: Optional[S3PrefixStrategyBase] = None,
        thread_count: int = 1,
        **kwargs: Any,
    ) -> None:
        # There is no file behind an object whose data could be forced to a disk.
        super().__init__(path=path, sync_files=False, thread_count=thread_count, **kwargs)
        self.fs = S3FileSystem(region, s3client_config=s3client_config)  # type: ignore[assignment]
        self.path = self.fs.init_path(path)
        self.prefix_strategy = prefix_strategy or DefaultPrefixStrategy()

    def prepare_global_plan(self, plans: List[SavePlan]) -> List[SavePlan]:
        return [
            dataclasses.replace(plan, storage_data=StorageMetadata(self.prefix_strategy(rank)))
            for rank, plan in enumerate(plans)
        ]

    @classmethod
    def validate_checkpoint_id(cls, checkpoint_id: AnyPath) -> bool:
        return S3FileSystem.validate_checkpoint_id(checkpoint_id)


class S3StorageReader(FileSystemReader):
    """For `torch.distributed.checkpoint.load(..., storage_reader=)`. Only the ranges that are needed are fetched."""

    def __init__(
        self,
        region: str,
        path: AnyPath,
        s3client_config: Optional[S3ClientConfig] = None,
        reader_constructor: Optional[Union[S3ReaderConstructorProtocol, DCPS3ReaderConstructorProtocol]] = None,
    ) -> None:
        super().__init__(path)
        self._reader_constructor = reader_constructor or S3ReaderConstructor.dcp_optimized()
        self.fs = S3FileSystem(  # type: ignore[assignment]
            region, s3client_config=s3client_config, reader_constructor=self._reader_constructor
        )
        self.path = self.fs.init_path(path)
        self.sync_files = False

    @classmethod
    def validate_checkpoint_id(cls, checkpoint_id: AnyPath) -> bool:
        return S3FileSystem.validate_checkpoint_id(checkpoint_id)

    def prepare_local_plan(self, plan: LoadPlan) -> LoadPlan:
        """Puts the items in the order in which they lie in their files, and tells the readers of them."""
        plan.items.sort(key=lambda item: self.storage_data[item.storage_index].offset)
        if isinstance(self._reader_constructor, DCPS3ReaderConstructorProtocol):
            self._reader_constructor.set_item_ranges_by_file(plan.items, self.storage_data, self.path)
        return plan
