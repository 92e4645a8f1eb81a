"""Reads and writes files of records with the library that each format is known by.

records.py read FORMAT FILE DTYPE [COMPRESSION]   prints what a JSON document says of the records in it
records.py write FORMAT FILE DTYPE [COMPRESSION]  writes some, and prints the same of them
"""

import hashlib
import json
import sys


def digest(record):
    return hashlib.sha256(record.tobytes()).hexdigest()[:16]


def report(records):
    import numpy as np

    records = [np.ascontiguousarray(record) for record in records]
    first = records[0]
    print(
        json.dumps(
            {
                "samples": len(records),
                "shape": list(first.shape),
                "dtype": first.dtype.name,
                "records": [digest(record) for record in records],
            }
        )
    )


def samples_last(x):
    return [x[..., k] for k in range(x.shape[-1])]


def read_npz(path, dtype, compression):
    import numpy as np

    with np.load(path) as file:
        assert file["y"].dtype == np.int64 and not file["y"].any()
        assert len(file["y"]) == file["x"].shape[-1]
        return samples_last(file["x"])


def read_npy(path, dtype, compression):
    import numpy as np

    return samples_last(np.load(path))


def read_indexed(path, dtype, compression):
    import numpy as np

    data = np.memmap(path, dtype=np.uint8, mode="r")
    offsets = np.fromfile(path + ".off.idx", dtype=np.uint64)
    sizes = np.fromfile(path + ".sz.idx", dtype=np.uint64)
    return [
        np.frombuffer(data[int(o) : int(o + s)].tobytes(), dtype=dtype)
        for o, s in zip(offsets, sizes)
    ]


def read_csv(path, dtype, compression):
    import pandas as pd

    rows = pd.read_csv(path, header=None, compression=compression).to_numpy()
    return [row.astype(dtype) for row in rows]


def read_picture(path, dtype, compression):
    import numpy as np
    from PIL import Image

    with Image.open(path) as picture:
        assert picture.mode == "L"
        return [np.asarray(picture)]


def read_tfrecord(path, dtype, compression):
    import numpy as np
    import tensorflow as tf

    features = {
        "image": tf.io.FixedLenFeature([], tf.string),
        "size": tf.io.FixedLenFeature([], tf.int64),
    }
    records = []
    for message in tf.data.TFRecordDataset(path):
        example = tf.io.parse_single_example(message, features)
        image = example["image"].numpy()
        assert len(image) == int(example["size"])
        records.append(np.frombuffer(image, dtype=dtype))
    return records


def some_records(dtype, shape, samples):
    import numpy as np

    random = np.random.default_rng(5)
    return [
        (random.random(shape) * 200).astype(dtype) for _ in range(samples)
    ]


def write_npz(path, dtype, compression):
    import numpy as np

    records = some_records(dtype, (9, 7), 4)
    save = np.savez_compressed if compression == "zip" else np.savez
    save(path, x=np.stack(records, axis=-1), y=np.zeros(4, dtype=np.int64))
    return records


def write_npy(path, dtype, compression):
    import numpy as np

    records = some_records(dtype, (9, 7), 4)
    np.save(path, np.stack(records, axis=-1))
    return records


def write_csv(path, dtype, compression):
    import numpy as np
    import pandas as pd

    records = some_records(dtype, (30,), 5)
    pd.DataFrame(np.stack(records)).to_csv(
        path, header=False, index=False, compression=compression
    )
    return records


def write_picture(path, dtype, compression):
    from PIL import Image

    records = some_records("uint8", (40, 56), 1)
    Image.fromarray(records[0]).save(path)
    return records if path.endswith(".png") else read_picture(path, dtype, compression)


def write_tfrecord(path, dtype, compression):
    import tensorflow as tf

    records = some_records(dtype, (77,), 6)
    with tf.io.TFRecordWriter(path) as writer:
        for record in records:
            image = record.tobytes()
            feature = {
                "image": tf.train.Feature(
                    bytes_list=tf.train.BytesList(value=[image])
                ),
                "size": tf.train.Feature(
                    int64_list=tf.train.Int64List(value=[len(image)])
                ),
            }
            features = tf.train.Features(feature=feature)
            example = tf.train.Example(features=features)
            writer.write(example.SerializeToString())
    return records


READERS = {
    "npz": read_npz,
    "npy": read_npy,
    "indexed_binary": read_indexed,
    "mmap_indexed_binary": read_indexed,
    "csv": read_csv,
    "jpeg": read_picture,
    "png": read_picture,
    "tfrecord": read_tfrecord,
}
WRITERS = {
    "npz": write_npz,
    "npy": write_npy,
    "csv": write_csv,
    "jpeg": write_picture,
    "png": write_picture,
    "tfrecord": write_tfrecord,
}

if __name__ == "__main__":
    action, name, path, dtype, *rest = sys.argv[1:]
    table = READERS if action == "read" else WRITERS
    report(table[name](path, dtype, rest[0] if rest else None))
