"""Reads a TensorFlow checkpoint.

checkpoints.py PREFIX    prints shape, type and SHA-256 of each tensor by its name
"""

import hashlib
import json
import sys

import tensorflow as tf

reader = tf.train.load_checkpoint(sys.argv[1])
found = {}
for name, shape in reader.get_variable_to_shape_map().items():
    value = reader.get_tensor(name)
    found[name] = [shape, value.dtype.name, hashlib.sha256(value.tobytes()).hexdigest()]
print(json.dumps({"latest": tf.train.latest_checkpoint(sys.argv[1].rsplit("/", 1)[0]), "tensors": found}))
