"""For one framework, torch, jax or tf: is its tensor the shared memory itself? Written through the alias; prints JSON."""

import gc
import json
import os
import sys
import time

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
os.environ.setdefault("JAX_PLATFORMS", "cpu")
from consume_ready import Ready  # noqa: E402

SHAPE = (256, 224, 224, 3)


def ways(framework):
    if framework == "torch":
        import torch

        yield "torch.from_numpy", torch.from_numpy, lambda t: int(t.view(-1)[0])
    if framework == "jax":
        import jax

        yield "jax.dlpack.from_dlpack", jax.dlpack.from_dlpack, lambda t: int(t[0, 0, 0, 0])
        yield "jax.numpy.asarray (copies)", jax.numpy.asarray, lambda t: int(t[0, 0, 0, 0])
    if framework == "tf":
        import tensorflow as tf

        yield "tf.experimental.dlpack.from_dlpack", lambda a: tf.experimental.dlpack.from_dlpack(a.__dlpack__()), lambda t: int(t[0, 0, 0, 0])
        yield "tf.convert_to_tensor (copies)", tf.convert_to_tensor, lambda t: int(t[0, 0, 0, 0])


def main():
    for name, wrap, first in ways(sys.argv[1]):
        channel = Ready(3, int(np.prod(SHAPE)))
        batch = channel.next()
        array = batch.fields["data"].reshape(SHAPE)
        tensor = wrap(array)
        array[0, 0, 0, 0] = 77
        alias = first(tensor) == 77
        times = []
        for _ in range(5):
            start = time.perf_counter()
            again = wrap(array)
            times.append(time.perf_counter() - start)
            del again
        del array, batch
        gc.collect()
        holds = len(channel._link.held)
        del tensor
        gc.collect()
        print(
            json.dumps(
                {
                    "name": name,
                    "alias": alias,
                    "microseconds": min(times) * 1e6,
                    "tensorHolds": holds == 1,
                    "released": len(channel._link.held) == 0,
                }
            ),
            flush=True,
        )


main()
