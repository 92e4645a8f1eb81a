/** Overrides of a workload, without `workload.` before them. */
export type Overrides = Readonly<Record<string, string | number | boolean>>

/** What readers do at most: no computation, from the page cache. */
export interface Shape {
  readonly name: string
  readonly overrides: Overrides
  /** Samples of an epoch. */
  readonly samples: number
  readonly recordBytes: number
  /** Only these formats does DLIO read with this loader. */
  readonly loader: 'tensorflow' | 'pytorch'
}

function shape(
  name: string,
  loader: Shape['loader'],
  files: number,
  samplesPerFile: number,
  recordBytes: number,
  more: Overrides,
): Shape {
  return {
    name,
    loader,
    samples: files * samplesPerFile,
    recordBytes,
    overrides: {
      framework: loader,
      'reader.data_loader': loader,
      'dataset.num_files_train': files,
      'dataset.num_samples_per_file': samplesPerFile,
      'dataset.record_length_bytes': recordBytes,
      'train.computation_time': 0,
      'train.epochs': 3,
      ...more,
    },
  }
}

/** Scaled to about `gigabytes` each. */
export function shapes(gigabytes: number): readonly Shape[] {
  const files = (bytes: number) => Math.max(2, Math.round((gigabytes * 1e9) / bytes))
  return [
    shape('resnet50', 'tensorflow', files(1251 * 114_660), 1251, 114_660, {
      'dataset.format': 'tfrecord',
      'reader.batch_size': 400,
    }),
    shape('cosmoflow', 'tensorflow', files(2_828_486), 1, 2_828_486, {
      'dataset.format': 'tfrecord',
      'dataset.record_length_bytes_stdev': 71_311,
      'reader.batch_size': 1,
    }),
    shape('unet3d', 'pytorch', files(146_600_628), 1, 146_600_628, {
      'dataset.format': 'npz',
      'dataset.record_length_bytes_resize': 2_097_152,
      'reader.batch_size': 2,
    }),
  ]
}
