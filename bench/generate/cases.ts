/** A data set that is generated; sizes are those of MLPerf Storage's workloads. */
export interface Case {
  readonly name: string
  readonly format: string
  readonly recordBytes: number
  readonly samples: number
  readonly files: number
  /**
   * MB/s of DLIO 2.0.0 on two cores into the page cache, one rank: what stands beside ours where it is not here to be
   * measured. Absent: not known.
   */
  readonly dlio?: number
}

export const CASES: readonly Case[] = [
  { name: 'npz, 4 MB', format: 'npz', recordBytes: 4_000_000, samples: 1, files: 256, dlio: 128 },
  { name: 'npz, 147 MB', format: 'npz', recordBytes: 146_600_628, samples: 1, files: 8, dlio: 87 },
  { name: 'tfrecord, 1251 of 115 KB', format: 'tfrecord', recordBytes: 114_660, samples: 1251, files: 8, dlio: 264 },
  { name: 'hdf5, 4 of 4 MB', format: 'hdf5', recordBytes: 4_000_000, samples: 4, files: 64, dlio: 177 },
  { name: 'jpeg, 323 KB', format: 'jpeg', recordBytes: 322_957, samples: 1, files: 800, dlio: 77 },
  { name: 'indexed_binary, 64 of 2 MB', format: 'indexed_binary', recordBytes: 2_000_000, samples: 64, files: 8 },
]

/** Seven in eight files less: a look, and no measurement. */
export function quickly(each: Case): Case {
  return { ...each, files: Math.max(2, Math.floor(each.files / 8)) }
}

/** As `headrace generate` takes it. */
export function headraceFlags({ format, recordBytes, samples, files }: Case): readonly string[] {
  return ['--format', format, '--files-train', files, '--samples', samples, '--record-bytes', recordBytes].map(String)
}

/** As `dlio_benchmark` takes it. */
export function dlioOverrides({ format, recordBytes, samples, files }: Case, folder: string): readonly string[] {
  const keys: Readonly<Record<string, string | number>> = {
    'workflow.generate_data': 'True',
    'workflow.train': 'False',
    'workflow.profiling': 'False',
    framework: format === 'tfrecord' ? 'tensorflow' : 'pytorch',
    'reader.data_loader': format === 'tfrecord' ? 'tensorflow' : 'pytorch',
    'dataset.data_folder': folder,
    'dataset.format': format,
    'dataset.num_files_train': files,
    'dataset.num_files_eval': 0,
    'dataset.num_subfolders_train': 0,
    'dataset.num_samples_per_file': samples,
    'dataset.record_length_bytes': recordBytes,
    'dataset.record_length_bytes_stdev': 0,
  }
  return [
    'workload=default',
    `++hydra.run.dir=${folder}.log`,
    ...Object.entries(keys).map(([key, value]) => `++workload.${key}=${value}`),
  ]
}
