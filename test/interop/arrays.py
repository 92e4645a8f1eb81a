"""Reads and writes HDF5 with h5py and Parquet with PyArrow.

arrays.py read-hdf5 FILE
arrays.py write-hdf5 FILE OPTIONS        OPTIONS: what DLIO would pass to create_dataset
arrays.py read-parquet FILE
arrays.py write-parquet FILE COLUMNS RECORDS ROWS   of the bytes of records one after the other
"""

import hashlib
import json
import sys


def digest(data):
    return hashlib.sha256(data).hexdigest()[:16]


def read_hdf5(path):
    import h5py
    import numpy as np

    with h5py.File(path, "r") as file:
        sets = {}
        for name, data in file.items():
            sets[name] = {
                "shape": list(data.shape),
                "dtype": data.dtype.name,
                "chunks": data.chunks and list(data.chunks),
                "maxshape": list(data.maxshape),
                "compression": data.compression,
                "level": data.compression_opts,
                "offset": data.id.get_offset(),
                "stored": data.id.get_storage_size(),
            }
        parts = sorted((n for n in sets if n != "labels"), key=lambda n: int(n[8:]))
        count = len(file["labels"])
        assert not np.asarray(file["labels"]).any()
        records = [
            digest(b"".join(file[part][i].tobytes() for part in parts))
            for i in range(count)
        ]
    return {"sets": sets, "records": records}


def write_hdf5(path, options):
    import h5py
    import numpy as np

    dtype = options.pop("dtype")
    shape = options.pop("shape")
    sets = options.pop("sets", 1)
    libver = options.pop("libver", "latest")
    random = np.random.default_rng(5)
    records = (random.random((sets, *shape)) * 200).astype(dtype)
    for key in ("chunks", "maxshape"):
        if key in options:
            options[key] = tuple(options[key])
    with h5py.File(path, "w", libver=libver) as file:
        for i in range(sets):
            file.create_dataset(f"records_{i}", data=records[i], **options)
        file.create_dataset("labels", data=np.zeros(shape[0], dtype=np.int64))
    native = records.astype(records.dtype.newbyteorder("<"))
    return {
        "records": [
            digest(b"".join(native[s][i].tobytes() for s in range(sets)))
            for i in range(shape[0])
        ]
    }


def row_bytes(table, i):
    import pyarrow as pa

    row = b""
    for column in table.itercolumns():
        one = column.slice(i, 1).combine_chunks()
        values = one.flatten() if pa.types.is_fixed_size_list(one.type) else one
        kind = values.type
        if pa.types.is_string(kind):
            row += one[0].as_py().encode()
        elif pa.types.is_binary(kind):
            row += one[0].as_py()
        elif pa.types.is_boolean(kind):
            row += bytes(int(value.as_py()) for value in values)
        else:
            width = kind.bit_width // 8
            start = values.offset * width
            data = values.buffers()[1].to_pybytes()
            row += data[start : start + len(values) * width]
    return row


def read_parquet(path):
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    table = file.read()
    groups = [file.metadata.row_group(i) for i in range(file.num_row_groups)]
    return {
        "schema": {field.name: str(field.type) for field in file.schema_arrow},
        "rows": [group.num_rows for group in groups],
        "codecs": sorted(
            {group.column(i).compression for group in groups for i in range(group.num_columns)}
        ),
        "nulls": sum(
            group.column(i).statistics.null_count
            for group in groups
            for i in range(group.num_columns)
        ),
        "records": [digest(row_bytes(table, i)) for i in range(table.num_rows)],
    }


def write_parquet(path, columns, records, rows):
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    data = np.fromfile(records, dtype=np.uint8)
    widths = [
        4
        if c["dtype"] == "string"
        else c["size"]
        if c["dtype"] == "binary"
        else c["size"] * np.dtype(c["dtype"]).itemsize
        for c in columns
    ]
    data = data.reshape(-1, sum(widths))
    arrays, names, at = [], [], 0
    for column, width in zip(columns, widths):
        raw = np.ascontiguousarray(data[:, at : at + width])
        at += width
        name, dtype, size = column["name"], column["dtype"], column["size"]
        names.append(name)
        if dtype == "string":
            numbers = raw.view("<u4").ravel()
            arrays.append(pa.array([f"{name}_{n}" for n in numbers]))
        elif dtype == "binary":
            arrays.append(pa.array([r.tobytes() for r in raw], type=pa.binary()))
        else:
            values = (raw & 1).astype(bool) if dtype == "bool" else raw.view(dtype)
            flat = pa.array(values.ravel())
            listed = size > 1 or column.get("list")
            arrays.append(pa.FixedSizeListArray.from_arrays(flat, size) if listed else flat)
    table = pa.table(arrays, names=names)
    pq.write_table(table, path, row_group_size=rows, compression="none")
    return {"version": pa.__version__, "rows": table.num_rows}


if __name__ == "__main__":
    action, path, *rest = sys.argv[1:]
    if action == "read-hdf5":
        found = read_hdf5(path)
    elif action == "write-hdf5":
        found = write_hdf5(path, json.loads(rest[0]))
    elif action == "read-parquet":
        found = read_parquet(path)
    else:
        found = write_parquet(path, json.loads(rest[0]), rest[1], int(rest[2]))
    print(json.dumps(found))
