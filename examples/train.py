"""A few steps of training on batches from shared memory, in PyTorch, TensorFlow or JAX: whichever is there.

    python examples/train.py photos.cache [--framework pytorch|tensorflow|jax] [--steps 60]
"""

from __future__ import annotations

import argparse
import time
from typing import Any, Callable, Iterator, List, Tuple

import headrace
from headrace.dlio import list_available_frameworks

SIDE, BATCH, RATE = 64, 64, 0.02
IMAGE = [headrace.random_resized_crop(SIDE), headrace.random_horizontal_flip(), headrace.normalize()]
INPUTS = SIDE * SIDE * 3

#: One step on a batch: the loss before it.
Step = Callable[[Any], float]


def pytorch(cache: str, classes: int) -> Tuple[Any, Step]:
    import headrace.torch
    import torch

    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(INPUTS, classes))
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)

    def step(batch: Any) -> float:
        loss = torch.nn.functional.cross_entropy(model(batch["image"]), batch["label"].long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return headrace.torch.load(cache, image=IMAGE, shuffle=True, seed=7, batch_size=BATCH), step


def tensorflow(cache: str, classes: int) -> Tuple[Any, Step]:
    import headrace.tensorflow
    import tensorflow as tf

    weights = tf.Variable(tf.zeros([INPUTS, classes]))

    def step(batch: Any) -> float:
        pixels = tf.reshape(batch["image"], [-1, INPUTS])
        with tf.GradientTape() as tape:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.cast(batch["label"], tf.int64), pixels @ weights)
            loss = tf.reduce_mean(losses)
        weights.assign_sub(RATE * tape.gradient(loss, weights))
        return float(loss)

    return headrace.tensorflow.load(cache, image=IMAGE, shuffle=True, seed=7, batch_size=BATCH), step


def jax(cache: str, classes: int) -> Tuple[Any, Step]:
    import headrace.jax
    import jax as j
    import jax.numpy as jnp

    def loss_of(weights: Any, image: Any, label: Any) -> Any:
        scores = j.nn.log_softmax(image.reshape(-1, INPUTS) @ weights)
        return -jnp.take_along_axis(scores, label[:, None], axis=1).mean()

    gradient = j.jit(j.value_and_grad(loss_of))
    weights = jnp.zeros((INPUTS, classes))

    def step(batch: Any) -> float:
        nonlocal weights
        loss, change = gradient(weights, batch["image"], jnp.asarray(batch["label"], jnp.int32))
        weights -= RATE * change
        return float(loss)

    return headrace.jax.load(cache, image=IMAGE, shuffle=True, seed=7, batch_size=BATCH, tail="drop"), step


FRAMEWORKS = {"pytorch": pytorch, "tensorflow": tensorflow, "jax": jax}


def batches_of(loader: Any, steps: int) -> Iterator[Any]:
    """So many batches, of as many epochs as it takes."""
    done = 0
    while done < steps:
        for batch in loader:
            yield batch
            done += 1
            if done == steps:
                return


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cache")
    parser.add_argument("--framework", choices=list(FRAMEWORKS))
    parser.add_argument("--steps", type=int, default=60)
    arguments = parser.parse_args()
    there = list_available_frameworks()
    if not there:
        print("train: no PyTorch, TensorFlow or JAX here")
        return
    name = arguments.framework or there[0]
    with headrace.load(arguments.cache, fields=["label"], batch_size=1024) as labels:
        classes = 1 + max(int(batch["label"].max()) for batch in labels)
    loader, step = FRAMEWORKS[name](arguments.cache, classes)
    losses: List[float] = []
    started = time.perf_counter()
    with loader:
        for batch in batches_of(loader, arguments.steps):
            losses.append(step(batch))
            if len(losses) == 1:
                started = time.perf_counter()
            del batch
    rate = (len(losses) - 1) * BATCH / (time.perf_counter() - started)
    tenth = max(1, len(losses) // 10)
    first, last = sum(losses[:tenth]) / tenth, sum(losses[-tenth:]) / tenth
    print(f"train: {len(losses)} steps in {name}, loss {first:.3f} -> {last:.3f}, {rate:,.0f} images/s")


if __name__ == "__main__":
    main()
