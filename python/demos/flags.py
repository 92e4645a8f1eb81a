"""The flags that the demos share, under the names of the test guide."""

from __future__ import annotations

import argparse
from typing import Any, Dict

MIB = 1 << 20


def parser(description: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    made.add_argument("--prefix", required=True, help="URL of the folder: s3://bucket/prefix/, also az://, gs://, file://")
    made.add_argument("--batch-size", type=int, default=4, help="samples of a batch")
    made.add_argument("--prefetch", type=int, default=8, help="batches ahead")
    made.add_argument("--take", type=int, default=0, help="stop after so many samples; 0: all")
    return made


def add_reader(made: argparse.ArgumentParser) -> None:
    made.add_argument("--reader", choices=("sequential", "range"), default="sequential", help="how objects are read")
    made.add_argument("--part-size", type=int, default=8 * MIB, help="bytes of a range, with --reader range")
    made.add_argument("--inflight", type=int, default=4, help="ranges of an object at once, with --reader range")


def add_order(made: argparse.ArgumentParser) -> None:
    made.add_argument("--shuffle", action="store_true", help="in an order that follows from the seed")
    made.add_argument("--seed", type=int, default=0)


def add_workers(made: argparse.ArgumentParser) -> None:
    made.add_argument("--num-workers", type=int, default=0, help="processes of torch's DataLoader")
    made.add_argument("--enable-sharding", action="store_true", help="ranks and workers share the samples")


def add_region(made: argparse.ArgumentParser) -> None:
    made.add_argument("--region", default="us-east-1", help="of the bucket")


def reader_options(args: argparse.Namespace) -> Dict[str, Any]:
    return {"reader_mode": args.reader, "part_size": args.part_size, "max_inflight_parts": args.inflight}


def folder(prefix: str) -> str:
    return prefix if prefix.endswith("/") else f"{prefix}/"
