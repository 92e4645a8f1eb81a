"""Run by torchrun: which objects each rank and worker was given, as lines of JSON. Not a test by itself."""

from __future__ import annotations

import json
import sys
from typing import Any, List, Tuple

import torch.distributed
from torch.utils.data import DataLoader, get_worker_info


def name(reader: Any) -> Tuple[int, str]:
    worker = get_worker_info()
    return (0 if worker is None else worker.id), reader.key


def apart(samples: List[Any]) -> List[Any]:
    return samples


def main(kind: str, prefix: str, sharding: bool) -> None:
    torch.distributed.init_process_group("gloo")
    rank = torch.distributed.get_rank()
    if kind == "connector":
        from headrace.compat.s3torchconnector import S3IterableDataset as Connector

        dataset: Any = Connector.from_prefix(prefix, region="us-east-1", enable_sharding=sharding, transform=name)
        rows = [row for batch in DataLoader(dataset, batch_size=3, num_workers=2, collate_fn=apart) for row in batch]
    else:
        from headrace.torch import S3IterableDataset

        readers = S3IterableDataset.from_prefix(prefix, enable_sharding=sharding, return_type="reader")
        rows = [name(each) for batch in DataLoader(readers, batch_size=3, num_workers=2, collate_fn=apart) for each in batch]
    gathered: List[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(gathered, rows)
    if rank == 0:
        print(json.dumps(gathered), flush=True)
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3] == "sharded")
