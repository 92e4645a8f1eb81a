"""Throughput of Amazon's connector and of headrace over the same objects."""

from __future__ import annotations

import argparse
import sys

from flags import add_reader, add_region, parser
from sides import CONNECTOR, aws, ours, size_of
from throughput import Throughput, measured, need_samples


def arguments() -> argparse.Namespace:
    made = parser(__doc__ or "")
    add_region(made)
    add_reader(made)
    return made.parse_args()


def ratio(theirs: Throughput, own: Throughput) -> str:
    times = own.items_per_second / theirs.items_per_second if theirs.items_per_second > 0 else float("inf")
    return f"[ratio] headrace/aws = {times:.2f}x"


def main() -> int:
    args = arguments()
    print(f"[aws] is {CONNECTOR}")
    theirs = measured("aws", aws(args), args.take, size_of)
    print(theirs, flush=True)
    need_samples(theirs, args.prefix)
    own = measured("headrace", ours(args, "tensor"), args.take, size_of)
    print(own, flush=True)
    print(ratio(theirs, own))
    return 0


if __name__ == "__main__":
    sys.exit(main())
