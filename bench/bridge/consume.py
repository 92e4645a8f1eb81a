"""What a consumer of the bridge sees: prints one JSON object a measurement. Needs NumPy; torch where it is there."""

import json
import multiprocessing
import os
import resource
import sys
import time

from consume_ready import Ready
from headrace._channel import Channel
from headrace._engine import Engine

PICTURES = 256 * 224 * 224 * 3
ENGINE = Engine.get()
PID = int(os.environ["HEADRACE_ENGINE_PID"])
QUICK = "--quick" in sys.argv


def engine_seconds():
    fields = open(f"/proc/{PID}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pss(pid):
    for line in open(f"/proc/{pid}/smaps_rollup"):
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def say(**facts):
    print(json.dumps(facts), flush=True)


def rate(name, channel, count, touch=False):
    for _ in range(20):
        channel.next()
    best = {}
    for _ in range(3):
        start, own, engine = time.perf_counter(), time.process_time(), engine_seconds()
        for _ in range(count):
            batch = channel.next()
            if touch:
                batch.fields["data"][:4096].sum()
        seconds = time.perf_counter() - start
        if not best or count / seconds > best["batchesPerSecond"]:
            best = {
                "batchesPerSecond": count / seconds,
                "ownMicroseconds": (time.process_time() - own) / count * 1e6,
                "engineMicroseconds": (engine_seconds() - engine) / count * 1e6,
            }
    memory = pss(os.getpid()) + pss(PID)
    say(name=name, **best, pssBytes=memory)


def added(name, channel, count):
    """Microseconds from the release of a batch, where there is one slot, to the next batch: there and back."""
    times = []
    batch = channel.next()
    for _ in range(count):
        start = time.perf_counter()
        del batch
        batch = channel.next()
        times.append(time.perf_counter() - start)
    times.sort()
    say(name=name, medianMicroseconds=times[count // 2] * 1e6, p99Microseconds=times[count * 99 // 100] * 1e6)


def _rank(barrier, out, count):
    channel = Ready(8, 1 << 16)
    channel.next()
    barrier.wait()
    start = time.perf_counter()
    for _ in range(count):
        channel.next()
    out.put(count / (time.perf_counter() - start))


def ranks(count):
    context = multiprocessing.get_context("fork")
    for world in (1, 2, 4, 8):
        out, barrier = context.Queue(), context.Barrier(world)
        workers = [context.Process(target=_rank, args=(barrier, out, count)) for _ in range(world)]
        for worker in workers:
            worker.start()
        found = [out.get() for _ in workers]
        for worker in workers:
            worker.join()
        say(name="ranks", ranks=world, batchesPerSecond=sum(found), slowest=min(found))


def main():
    count = 5_000 if QUICK else 40_000
    rate("ready, 4 KiB, 64 slots", Ready(64, 4096), count)
    rate("ready, 38.5 MB, 4 slots", Ready(4, PICTURES), count // 4)
    added("added to a batch, 1 slot", Ready(1, 4096), count // 10)
    options = {"batchSize": 1, "ringBytes": 1 << 30, "prefetch": 16}
    rate("loader, one number, 64 slots", Channel(ENGINE, {"kind": "numbers"}, options, 64), count)
    ranks(count // 8)


main()
