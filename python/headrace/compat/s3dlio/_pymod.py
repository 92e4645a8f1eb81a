"""All functions and classes, by the name of s3dlio's compiled module."""

from ._bytes import BytesView
from ._content import (
    Generator,
    generate_data,
    generate_into_buffer,
    generate_npz_bytes,
    put,
    put_async,
    py_total_cpus,
    read_npz,
)
from ._listing import list
from ._loaders import (
    PyBytesAsyncDataLoader,
    PyDataset,
    PyLoaderOptions,
    PyObjectItem,
    create_async_loader,
    create_dataset,
)
from ._objects import (
    create_bucket,
    delete,
    delete_bucket,
    download,
    exists,
    exists_async,
    get,
    get_async,
    get_into_async,
    get_many,
    get_many_async,
    get_many_stats,
    get_many_stats_async,
    get_range,
    get_range_async,
    list_containers,
    mkdir,
    mkdir_async,
    parse_s3_uri_full,
    put_bytes,
    put_bytes_async,
    put_many,
    put_many_async,
    stat,
    stat_async,
    stat_many_async,
    upload,
)
from ._stores import LengthMismatchError, ObjectNotFoundError, UnsupportedOperationError, configure_s3
from ._tfrecord import create_tfrecord_index, get_tfrecord_index_entries, index_tfrecord_bytes, read_tfrecord_index
from ._writers import (
    MultipartUploadWriter,
    PyObjectWriter,
    PyWriterOptions,
    create_azure_writer,
    create_direct_filesystem_writer,
    create_filesystem_writer,
    create_s3_writer,
)

__all__ = [name for name in dir() if not name.startswith("_")]
