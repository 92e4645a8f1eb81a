"""The order of samples, computed again from its description (docs/loader.md), is the order that headrace has."""

import hashlib
import json
import math
import os
import struct
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MAIN = ROOT / "dist" / "cli" / "headrace.cjs"
MASK = 0xFFFFFFFF


def threefry(key0, key1, counter0, counter1):
    """Threefry-2x32, 20 rounds (Random123)."""
    keys = (key0 & MASK, key1 & MASK, (0x1BD11BDA ^ key0 ^ key1) & MASK)
    a, b = (counter0 + keys[0]) & MASK, (counter1 + keys[1]) & MASK
    for block in range(5):
        for rotation in ((13, 15, 26, 6), (17, 29, 16, 24))[block % 2]:
            a = (a + b) & MASK
            b = ((b << rotation | b >> (32 - rotation)) & MASK) ^ a
        a = (a + keys[(block + 1) % 3]) & MASK
        b = (b + keys[(block + 2) % 3] + block + 1) & MASK
    return a, b


def stream(name):
    """FNV-1a, 32 bits."""
    key = 0x811C9DC5
    for byte in name.encode():
        key = ((key ^ byte) * 0x01000193) & MASK
    return key


def draw(seed, epoch, name, number, index):
    """Uniform in [0, 1), a multiple of 2^-53."""
    key = threefry(seed & MASK, seed >> 32, epoch, stream(name))
    key = threefry(*key, number & MASK, number >> 32)
    high, low = threefry(*key, index, 0)
    return ((high >> 5) * 67108864 + (low >> 6)) / 2**53


def permutation(length, seed, epoch, name="order\0"):
    """The sample at each position, by number."""
    a = math.ceil(math.sqrt(length))
    b = math.ceil(length / a)
    key = threefry(seed & MASK, seed >> 32, epoch, stream(name))
    keys = [threefry(*key, i, 0) for i in range(20 if length < 4096 else 8)]

    def mix(value, words):
        h = value ^ words[0]
        h = ((h ^ h >> 16) * 0x21F0AAAD + words[1]) & MASK
        return ((h ^ h >> 15) * 0x735A2D97) & MASK

    def at(position):
        left, right = divmod(position, b)
        while True:
            for i in range(0, len(keys), 2):
                left = (left + int(mix(right, keys[i]) * (a / 2**32))) % a
                right = (right + int(mix(left, keys[i + 1]) * (b / 2**32))) % b
            if left * b + right < length:
                return left * b + right

    return at


def windows(length, window, seed, epoch):
    window = min(window, length)
    offset = int(draw(seed, epoch, "window\0", 0, 1) * window)
    order = []
    number, begin = 0, 0
    while begin < length:
        end = min(length, offset + number * window)
        if end > begin:
            own = permutation(end - begin, int(draw(seed, epoch, "window\0", number, 0) * 2**53), epoch)
            order += [begin + own(i) for i in range(end - begin)]
        number, begin = number + 1, end
    return order


def chunks(starts, window, seed, epoch):
    at = permutation(len(starts) - 1, seed, epoch, "chunks\0")
    sequence = [i for place in range(len(starts) - 1) for i in range(starts[at(place)], starts[at(place) + 1])]
    return [sequence[position] for position in windows(starts[-1], window, seed, epoch)]


def replacement(length, seed, epoch, samples):
    return [int(draw(seed, epoch, "replacement\0", i, 0) * length) for i in range(samples)]


def alias(weights, seed, epoch, samples):
    """Walker's alias method with Vose's table."""
    n = len(weights)
    largest = max(weights)
    scaled = [w / largest for w in weights]
    total = 0.0
    for weight in scaled:
        total += weight
    shares = [w * n / total for w in scaled]
    others = [0] * n
    poor = [i for i in range(n) if shares[i] < 1]
    rich = [i for i in range(n) if not shares[i] < 1]
    while poor and rich:
        taker, giver = poor.pop(), rich[-1]
        others[taker] = giver
        shares[giver] = shares[giver] + shares[taker] - 1
        if shares[giver] < 1:
            poor.append(rich.pop())
    for i in poor + rich:
        shares[i] = 1.0
    order = []
    for i in range(samples):
        cell = int(draw(seed, epoch, "weighted\0", i, 0) * n)
        order.append(cell if draw(seed, epoch, "weighted\0", i, 1) < shares[cell] else others[cell])
    return order


def exponential(weights, seed, epoch):
    """Efraimidis and Spirakis: by -ln(u) / weight. Python's logarithm may differ in the last bit, which moves nothing here."""
    largest = max(weights)
    keys = {
        i: -math.log(1 - draw(seed, epoch, "exponential\0", i, 0)) / (w / largest) for i, w in enumerate(weights) if w > 0
    }
    return sorted(keys, key=keys.get)


def rank_slice(order, batch, rank, world, tail):
    """What a rank sees of the sequence."""
    length, whole = len(order), batch * world
    rest = length % whole
    end = length if tail == "short" or rest == 0 else length - rest + (whole if tail == "pad" else 0)
    seen = []
    for start in range(0, end - end % whole, whole):
        seen += [order[(start + rank * batch + i) % length] for i in range(batch)]
    left, start = end % whole, end - end % whole
    return seen + order[start + left * rank // world : start + left * (rank + 1) // world]


def sha256(ids):
    return hashlib.sha256(struct.pack(f"<{len(ids)}d", *ids)).hexdigest()


def headrace(*flags):
    command = ["node", str(MAIN), "order", *map(str, flags), "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout)


def some_weights(count):
    return [((i * 37) % 101) / 7 if i % 5 else 0 for i in range(count)]


class OrderOfHeadrace(unittest.TestCase):
    def assert_order(self, expected, *flags):
        found = headrace(*flags, "--hash")
        self.assertEqual([found["ids"], found["sha256"]], [len(expected), sha256(expected)])

    def test_random(self):
        for length, seed, epoch in [(1, 0, 0), (53, 7, 3), (5000, 2**40 + 7, 89)]:
            at = permutation(length, seed, epoch)
            expected = [at(i) for i in range(length)]
            self.assert_order(expected, "--length", length, "--seed", seed, "--epoch", epoch)

    def test_random_of_a_billion_starts_with_these(self):
        at = permutation(10**9, 7, 1)
        found = headrace("--length", 10**9, "--seed", 7, "--epoch", 1, "--count", 50)
        self.assertEqual(found["ids"], [at(i) for i in range(50)])

    def test_ranks_and_tails(self):
        at = permutation(203, 5, 2)
        order = [at(i) for i in range(203)]
        for world, rank, tail in [(1, 0, "short"), (4, 3, "short"), (4, 1, "pad"), (8, 7, "pad"), (2, 1, "drop")]:
            flags = ["--batch", 16 // world, "--rank", rank, "--world-size", world, "--tail", tail]
            expected = rank_slice(order, 16 // world, rank, world, tail)
            self.assert_order(expected, "--length", 203, "--seed", 5, "--epoch", 2, *flags)

    def test_replacement(self):
        expected = replacement(100, 3, 1, 777)
        self.assert_order(expected, "--length", 100, "--seed", 3, "--epoch", 1, "--replacement", "--samples", 777)

    def test_windows(self):
        for window in (1, 7, 64, 5000):
            expected = windows(1009, window, 11, 4)
            self.assertEqual(sorted(expected), list(range(1009)))
            self.assert_order(expected, "--length", 1009, "--seed", 11, "--epoch", 4, "--window", window)

    def test_weights(self):
        weights = some_weights(300)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "weights.json")
            Path(path).write_text(json.dumps(weights))
            flags = ["--length", 300, "--seed", 9, "--epoch", 2, "--sampler", "weighted", "--weights", path]
            self.assert_order(alias(weights, 9, 2, 1000), *flags, "--samples", 1000)
            self.assert_order(exponential(weights, 9, 2), *flags, "--no-replacement")


if __name__ == "__main__":
    unittest.main()
