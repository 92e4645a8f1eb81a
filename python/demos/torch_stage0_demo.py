"""Objects in PyTorch: seeds a folder, reads it as an iterable or a map dataset, checks what each return type gives."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any, Callable, List

import package  # noqa: F401
import torch
from flags import add_order, add_reader, add_workers, folder, parser, reader_options
from throughput import measured, need_samples
from torch.utils.data import DataLoader, default_collate

from headrace.compat.s3dlio import _pymod
from headrace.torch import S3IterableDataset, S3MapDataset


def arguments() -> argparse.Namespace:
    made = parser(__doc__ or "")
    made.add_argument("--setup", type=int, default=0, metavar="N", help="first write N objects")
    made.add_argument("--size", type=int, default=4096, help="bytes of an object that --setup writes")
    made.add_argument("--jobs", type=int, default=64, help="objects that --setup writes at once")
    made.add_argument("--iterable", action="store_true", help="read as an iterable dataset")
    made.add_argument("--map", action="store_true", help="read as a map dataset")
    made.add_argument("--selftest", action="store_true", help="check the return types tensor, bytes and reader")
    made.add_argument("--writable", action="store_true", help="tensors that may be written to")
    add_reader(made)
    add_order(made)
    add_workers(made)
    return made.parse_args()


def together(samples: List[torch.Tensor]) -> Any:
    """One tensor where all samples have one size, as DataLoader makes by itself; else a list."""
    return default_collate(samples) if len({len(sample) for sample in samples}) == 1 else samples


def apart(samples: List[Any]) -> List[Any]:
    return samples


def iterable(args: argparse.Namespace, return_type: str = "tensor") -> DataLoader:
    dataset = S3IterableDataset.from_prefix(
        folder(args.prefix),
        batch_size=args.batch_size,
        prefetch=args.prefetch,
        shuffle=args.shuffle,
        seed=args.seed,
        enable_sharding=args.enable_sharding,
        writable=args.writable,
        return_type=return_type,
        **reader_options(args),
    )
    collate = together if return_type == "tensor" else apart
    return DataLoader(dataset, batch_size=args.batch_size, num_workers=args.num_workers, collate_fn=collate)


def map_style(args: argparse.Namespace) -> DataLoader:
    dataset = S3MapDataset.from_prefix(folder(args.prefix), writable=args.writable, **reader_options(args))
    generator = torch.Generator().manual_seed(args.seed) if args.shuffle else None
    return DataLoader(
        dataset,
        batch_size=args.batch_size,
        num_workers=args.num_workers,
        shuffle=args.shuffle,
        generator=generator,
        collate_fn=together,
    )


def check_tensor(sample: Any) -> str:
    assert isinstance(sample, torch.Tensor), f"a tensor was to come, not {type(sample).__name__}"
    assert sample.dtype == torch.uint8, f"dtype must be torch.uint8, not {sample.dtype}"
    assert sample.dim() == 1, f"there must be 1 dimension, not {sample.dim()}"
    return f"torch.uint8, 1-D, {len(sample)} bytes"


def check_bytes(sample: Any) -> str:
    view = memoryview(sample)
    assert view.format == "B" and view.contiguous, "bytes must lie one behind the other"
    return f"{type(sample).__name__}, {view.nbytes} bytes"


def check_reader(sample: Any) -> str:
    first = sample.read(16)
    rest = sample.read()
    assert isinstance(first, bytes) and isinstance(rest, bytes), "read() must give bytes"
    assert sample.read() == b"", "there must be nothing behind the end"
    sample.close()
    return f"read() gives bytes, {len(first) + len(rest)} of them"


def self_test(args: argparse.Namespace) -> bool:
    checks: List[tuple[str, Callable[[Any], str]]] = [
        ("tensor", check_tensor),
        ("bytes", check_bytes),
        ("reader", check_reader),
    ]
    passed = 0
    for return_type, check in checks:
        said: List[str] = []
        try:
            result = measured(
                return_type, iterable(args, return_type), args.take, lambda _: 0, lambda sample: said.append(check(sample))
            )
            need_samples(result, args.prefix)
        except AssertionError as error:
            print(f"[FAIL] {return_type + ':':7} {error}")
            continue
        print(f"[PASS] {return_type + ':':7} {said[0]} ({result.items} items)")
        passed += 1
    print(f"[selftest] {'OK' if passed == len(checks) else 'FAILED'}")
    return passed == len(checks)


def main() -> int:
    args = arguments()
    ranks = int(os.environ.get("WORLD_SIZE", "1"))
    if ranks > 1:
        torch.distributed.init_process_group("gloo")
    rank = f" rank={os.environ['RANK']}" if ranks > 1 else ""
    if args.setup > 0:
        _pymod.put(folder(args.prefix), args.setup, max_in_flight=args.jobs, size=args.size, object_type="random")
        print(f"[setup] wrote {args.setup} objects of {args.size} bytes below {folder(args.prefix)}")
    passed = True
    if args.selftest:
        passed = self_test(args)
    if args.iterable:
        result = measured(f"iterable{rank}", iterable(args), args.take, len)
        print(result, flush=True)
        need_samples(result, args.prefix)
    if args.map:
        result = measured(f"map{rank}", map_style(args), args.take, len)
        print(result, flush=True)
        need_samples(result, args.prefix)
    if ranks > 1:
        torch.distributed.destroy_process_group()
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
