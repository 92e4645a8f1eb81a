import { HeadraceError } from '../errors.ts'
import { openObjectSource } from '../formats/byte-source.ts'
import { recordBytes } from '../formats/layout.ts'
import { recordFormat } from '../formats/records.ts'
import type { ByteSink, RecordFormat } from '../formats/types.ts'
import type { Store } from '../storage/types.ts'
import { contentOf } from './content.ts'
import { DataSet } from './data-set.ts'
import { openStored } from './open-stored.ts'
import type { DataSetSpec } from './types.ts'

export interface VerifiedFile {
  readonly samples: number
  /** Decoded. */
  readonly bytes: number
}

/** What is read back is not what was written: pictures are compared as files. */
const LOSSY = new Set(['jpeg'])

/** Bytes of a stored file that are compared at once. */
const PIECE = 1024 * 1024

/**
 * Where a record that was read first differs from what the set's seed makes of it; -1: nowhere.
 */
export function recordDifference(
  set: DataSet,
  format: RecordFormat,
  file: number,
  sample: number,
  record: Uint8Array,
): number {
  const content = contentOf(set, file)
  const expected = format.expected?.(set.file(file).layout, (offset, target) => content.fill(sample, offset, target))
  const bytes = expected?.length ?? set.recordBytes(file)
  const common = record.subarray(0, bytes)
  const wrong = expected === undefined ? content.difference(sample, 0, common) : firstDifference(common, expected)
  return wrong >= 0 || record.length === bytes ? wrong : common.length
}

function firstDifference(found: Uint8Array, expected: Uint8Array): number {
  if (Buffer.compare(found, expected.subarray(0, found.length)) === 0) return -1
  return found.findIndex((byte, i) => byte !== expected[i])
}

/**
 * Compares a stored file with what the set says that it holds: every record, decoded. E_NOT_FOUND where it is missing,
 * E_CORRUPT with file, sample and byte where it differs or cannot be read.
 */
export async function verifyFile(of: DataSet | DataSetSpec, index: number, store: Store): Promise<VerifiedFile> {
  const set = of instanceof DataSet ? of : new DataSet(of)
  const format = await recordFormat(set.spec.format)
  if (format.name === 'synthetic' || LOSSY.has(format.name)) return compareFiles(set, format, index, store)
  const { key, layout } = set.file(index)
  const reader = await openStored(set, format, store, index)
  try {
    if (reader.samples !== layout.samples)
      throw new HeadraceError(
        'E_CORRUPT',
        `${store.url}/${key} has ${reader.samples} samples, and should have ${layout.samples}`,
        { key },
      )
    const into = new Uint8Array(recordBytes(reader))
    let bytes = 0
    for (let sample = 0; sample < layout.samples; sample++) {
      const length = await reader.read(sample, into)
      const wrong = recordDifference(set, format, index, sample, into.subarray(0, length))
      if (wrong >= 0) throw differs(store, key, sample, wrong)
      bytes += length
    }
    return { samples: layout.samples, bytes }
  } finally {
    await reader.close()
  }
}

function differs(store: Store, key: string, sample: number, offset: number): HeadraceError {
  return new HeadraceError(
    'E_CORRUPT',
    `sample ${sample} of ${store.url}/${key} is not what was generated, from its byte ${offset} on`,
    { key, sample, offset, hint: 'was it generated with this seed, or by another program?' },
  )
}

/** Writes the file again, to nowhere, and compares its bytes with those that are stored. */
async function compareFiles(set: DataSet, format: RecordFormat, index: number, store: Store): Promise<VerifiedFile> {
  const { key, layout } = set.file(index)
  const source = await openObjectSource(store, key)
  let at = 0
  const compare: ByteSink = {
    write: async (chunk) => {
      for (let from = 0; from < chunk.length; from += PIECE) {
        const expected = chunk.subarray(from, from + PIECE)
        const found = await source.read(at, Math.min(expected.length, source.size - at))
        if (Buffer.compare(found, expected) !== 0) throw differs(store, key, 0, at)
        at += expected.length
      }
    },
  }
  const nowhere: ByteSink = { write: async () => {} }
  await format.write(
    compare,
    layout,
    contentOf(set, index),
    format.sidecars.map(() => nowhere),
  )
  if (at !== source.size) throw differs(store, key, 0, at)
  return { samples: layout.samples, bytes: layout.samples * set.recordBytes(index) }
}
