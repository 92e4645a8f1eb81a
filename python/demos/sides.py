"""The two sides that are compared: Amazon's connector, and headrace."""

from __future__ import annotations

import argparse
import os
from typing import Any, List

import package  # noqa: F401
from flags import folder, reader_options
from torch.utils.data import DataLoader

from headrace.torch import S3IterableDataset

try:
    import s3torchconnector as connector

    CONNECTOR = f"s3torchconnector {connector.__version__}"
except ImportError:
    import headrace.compat.s3torchconnector as connector  # type: ignore[no-redef]

    CONNECTOR = "headrace.compat.s3torchconnector, for s3torchconnector is not installed"


def apart(samples: List[Any]) -> List[Any]:
    return samples


def aws(args: argparse.Namespace) -> DataLoader:
    """Readers of Amazon's connector."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    construct = connector.S3ReaderConstructor
    dataset = connector.S3IterableDataset.from_prefix(
        folder(args.prefix),
        region=args.region,
        endpoint=endpoint,
        s3client_config=connector.S3ClientConfig(force_path_style=endpoint is not None),
        enable_sharding=getattr(args, "enable_sharding", False),
        reader_constructor=construct.range_based() if args.reader == "range" else construct.sequential(),
    )
    return loader(dataset, args)


def ours(args: argparse.Namespace, return_type: str) -> DataLoader:
    dataset = S3IterableDataset.from_prefix(
        folder(args.prefix),
        batch_size=args.batch_size,
        prefetch=args.prefetch,
        enable_sharding=getattr(args, "enable_sharding", False),
        return_type=return_type,
        **reader_options(args),
    )
    return loader(dataset, args)


def loader(dataset: Any, args: argparse.Namespace) -> DataLoader:
    workers = getattr(args, "num_workers", 0)
    return DataLoader(dataset, batch_size=args.batch_size, num_workers=workers, collate_fn=apart)


def content(sample: Any) -> bytes:
    """All bytes of a sample, whatever it came as."""
    if hasattr(sample, "read"):
        data: bytes = sample.read()
        sample.close()
        return data
    return sample.numpy().tobytes() if hasattr(sample, "numpy") else bytes(sample)


def size_of(sample: Any) -> int:
    return len(content(sample)) if hasattr(sample, "read") else len(sample)
