"""NumPy opens the caches that headrace builds, and finds in them what headrace finds."""

import hashlib
import json
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
AWKWARD = ROOT / "test" / "fixtures" / "awkward"
NAMES = ["baseline_420.jpg", "gray.jpg", "cmyk.jpg", "png_named.jpg", "tiny_1x1.jpg", "webp.webp"]

BUILD = """
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { buildImageCache, openImageCache } from %s
const [folder, awkward, ...names] = process.argv.slice(1)
const samples = names.map((name, i) => ({
  image: readFileSync(awkward + '/' + name), label: BigInt(i) - 3n, weight: i / 3, name: name + ' – ünïcødé', raw: new Uint8Array(i).fill(i),
}))
await buildImageCache(samples, folder)
const cache = await openImageCache(folder)
const found = []
for (let id = 0; id < cache.length; id++) {
  const { image, label, weight, name, raw } = await cache.read(id)
  const out = { offset: new Float64Array(1), size: new Float64Array(1), height: new Uint32Array(1), width: new Uint32Array(1) }
  cache.locate(Float64Array.of(id), 'image', out)
  found.push({
    sha256: createHash('sha256').update(image).digest('hex'), label: Number(label), weight, name, raw: [...raw],
    height: out.height[0], width: out.width[0],
  })
}
await cache.close()
console.log(JSON.stringify(found))
"""


class CacheInNumPy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="headrace-numpy-"))
        cls.cache = cls.folder / "cache"
        script = BUILD % json.dumps((ROOT / "dist" / "index.js").as_uri())
        command = ["node", "--input-type=module", "--eval", script, str(cls.cache), str(AWKWARD), *NAMES]
        output = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
        cls.expected = json.loads(output)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def load(self, name):
        return np.load(self.cache / name, allow_pickle=False)

    def blobs(self, field):
        data = np.memmap(self.cache / f"{field}.bin", dtype=np.uint8, mode="r")
        rows = self.load(f"{field}.meta.npy")
        return [bytes(data[int(row["data_ptr"]) :][: int(row["data_size"])]) for row in rows]

    def test_every_npy_file_opens(self):
        files = sorted(self.cache.glob("*.npy"))
        self.assertEqual(len(files), 8)
        for file in files:
            self.assertEqual(len(np.load(file, allow_pickle=False)), len(NAMES), file.name)

    def test_pictures_are_where_the_table_says(self):
        rows = self.load("image.meta.npy")
        self.assertEqual(rows.dtype, np.dtype([("data_ptr", "<u8"), ("data_size", "<u8"), ("height", "<u4"), ("width", "<u4")]))
        self.assertEqual([hashlib.sha256(blob).hexdigest() for blob in self.blobs("image")], [s["sha256"] for s in self.expected])
        self.assertEqual(rows["height"].tolist(), [s["height"] for s in self.expected])
        self.assertEqual(rows["width"].tolist(), [s["width"] for s in self.expected])
        self.assertEqual(self.blobs("image")[0], (AWKWARD / NAMES[0]).read_bytes())

    def test_bytes_fields_have_no_pixels(self):
        rows = self.load("raw.meta.npy")
        self.assertEqual(rows["height"].tolist() + rows["width"].tolist(), [0] * 12)
        self.assertEqual([list(blob) for blob in self.blobs("raw")], [s["raw"] for s in self.expected])

    def test_numbers_have_their_values(self):
        label, weight = self.load("label.npy"), self.load("weight.npy")
        self.assertEqual((label.dtype, weight.dtype), (np.dtype("<i8"), np.dtype("<f8")))
        self.assertEqual(label.tolist(), [s["label"] for s in self.expected])
        self.assertEqual(weight.tolist(), [s["weight"] for s in self.expected])

    def test_strings_are_utf8_at_their_offsets(self):
        offsets = self.load("name.offsets.npy")
        self.assertEqual((offsets.dtype, offsets.shape), (np.dtype("<u8"), (len(NAMES), 2)))
        data = (self.cache / "name.bin").read_bytes()
        names = [data[start : start + length].decode() for start, length in offsets.tolist()]
        self.assertEqual(names, [s["name"] for s in self.expected])

    def test_headers_are_those_that_numpy_writes(self):
        for name in ["image.meta.npy", "label.npy", "weight.npy", "name.offsets.npy", "image.crc32c.npy"]:
            np.save(self.folder / "again.npy", self.load(name))
            self.assertEqual((self.folder / "again.npy").read_bytes(), (self.cache / name).read_bytes(), name)

    def test_the_manifest_names_every_file_and_its_size(self):
        manifest = json.loads((self.cache / "manifest.json").read_text())
        sizes = {file.name: file.stat().st_size for file in self.cache.iterdir() if file.name != "manifest.json"}
        self.assertEqual(manifest["file_sizes"], sizes)
        self.assertEqual((manifest["version"], manifest["num_samples"]), (1, len(NAMES)))


if __name__ == "__main__":
    unittest.main()
