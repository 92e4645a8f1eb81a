"""Objects in JAX and TensorFlow: reads a folder sample by sample into arrays of the framework."""

from __future__ import annotations

import argparse
import sys
from typing import Any, Dict, Iterator, List

import package  # noqa: F401
from flags import add_order, add_reader, folder, parser, reader_options
from throughput import Throughput, measured, need_samples

from headrace.compat.s3dlio.jax_tf import S3JaxIterable, make_tf_dataset


def arguments() -> argparse.Namespace:
    made = parser(__doc__ or "")
    made.add_argument("--tf", action="store_true", help="as a tf.data.Dataset")
    made.add_argument("--jax", action="store_true", help="as arrays of JAX")
    made.add_argument("--num-workers", type=int, default=0, help="threads of the engine that read")
    made.add_argument("--writable", action="store_true", help="NumPy arrays that may be written to")
    add_reader(made)
    add_order(made)
    args = made.parse_args()
    if not (args.tf or args.jax):
        made.error("say --tf, --jax or both")
    return args


def options(args: argparse.Namespace) -> Dict[str, Any]:
    return {
        "batch_size": args.batch_size,
        "prefetch": args.prefetch,
        "num_workers": args.num_workers,
        "shuffle": args.shuffle,
        "seed": args.seed,
        "writable": args.writable,
        **reader_options(args),
    }


def in_batches(samples: Any, size: int) -> Iterator[List[Any]]:
    batch: List[Any] = []
    for sample in samples:
        batch.append(sample)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def tensorflow(args: argparse.Namespace) -> Throughput:
    import tensorflow as tf

    dataset = make_tf_dataset(folder(args.prefix), **options(args))
    # Objects may have different sizes.
    dataset = dataset.ragged_batch(args.batch_size) if args.batch_size > 1 else dataset.batch(1)

    def check(row: Any) -> None:
        assert row.dtype == tf.uint8, f"dtype must be tf.uint8, not {row.dtype}"

    return measured("tf", dataset, args.take, lambda row: int(row.shape[0]), check)


def jax(args: argparse.Namespace) -> Throughput:
    import jax.numpy as jnp

    samples = (jnp.asarray(array) for array in S3JaxIterable.from_prefix(folder(args.prefix), **options(args)))

    def check(row: Any) -> None:
        assert row.dtype == jnp.uint8, f"dtype must be uint8, not {row.dtype}"

    return measured("jax", in_batches(samples, args.batch_size), args.take, lambda row: int(row.size), check)


def main() -> int:
    args = arguments()
    for wanted, run in ((args.tf, tensorflow), (args.jax, jax)):
        if wanted:
            result = run(args)
            print(result, flush=True)
            need_samples(result, args.prefix)
    return 0


if __name__ == "__main__":
    sys.exit(main())
