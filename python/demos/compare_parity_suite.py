"""Amazon's connector and headrace over the same objects: throughput, the same bytes, the same behaviour of readers."""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections import Counter
from typing import Any

from compare_aws_s3dlio_loaders import ratio
from flags import add_reader, add_region, add_workers, parser
from sides import CONNECTOR, aws, content, ours, size_of
from throughput import measured, need_samples

#: Bytes of the first read of a reader.
_FIRST = 1024


def arguments() -> argparse.Namespace:
    made = parser(__doc__ or "")
    add_region(made)
    add_reader(made)
    add_workers(made)
    made.add_argument("--return-type", choices=("tensor", "bytes", "reader"), default="tensor", help="what headrace gives")
    made.add_argument("--integrity", action="store_true", help="compare the SHA-256 of all samples, in any order")
    made.add_argument("--semantics", action="store_true", help="read a part, the rest, behind the end, and close")
    return made.parse_args()


def digests(batches: Any, take: int) -> "Counter[str]":
    found: "Counter[str]" = Counter()

    def add(sample: Any) -> None:
        found[hashlib.sha256(content(sample)).hexdigest()] += 1

    measured("digests", batches, take, lambda _: 0, add)
    return found


def integrity(args: argparse.Namespace) -> bool:
    theirs = digests(aws(args), args.take)
    own = digests(ours(args, args.return_type), args.take)
    same = sum((theirs & own).values())
    total = max(sum(theirs.values()), sum(own.values()))
    passed = same == total and total > 0
    print(f"[integrity] {'PASS' if passed else f'PARTIAL({same}/{total})'} {args.return_type}: {same} of {total} SHA-256 alike")
    return passed


def reads_as_a_file(reader: Any) -> bool:
    """A part, then the rest, then nothing; then it can be closed."""
    first = reader.read(_FIRST)
    rest = reader.read()
    end = reader.read()
    reader.close()
    whole = len(first) + len(rest)
    return isinstance(first, bytes) and len(first) == min(_FIRST, whole) and end == b""


def semantics(name: str, batches: Any, take: int) -> bool:
    passed = total = 0

    def probe(reader: Any) -> None:
        nonlocal passed, total
        total += 1
        passed += reads_as_a_file(reader)

    measured(name, batches, take, lambda _: 0, probe)
    verdict = "PASS" if passed == total > 0 else "FAIL"
    print(f"[semantics] {verdict} {name}: ok={passed}/{total} (read({_FIRST}), rest, EOF, close)")
    return passed == total > 0


def main() -> int:
    args = arguments()
    print(f"[aws] is {CONNECTOR}")
    theirs = measured("aws", aws(args), args.take, size_of)
    print(theirs, flush=True)
    need_samples(theirs, args.prefix)
    own = measured(f"headrace {args.return_type}", ours(args, args.return_type), args.take, size_of)
    print(own, flush=True)
    print(ratio(theirs, own))
    passed = integrity(args) if args.integrity else True
    if args.semantics:
        passed = semantics("aws", aws(args), args.take) and passed
        passed = semantics("headrace", ours(args, "reader"), args.take) and passed
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
