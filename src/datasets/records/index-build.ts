import type { DType } from '../../dtype.ts'
import { HeadraceError } from '../../errors.ts'
import type { RecordFormat, RecordReader } from '../../formats/types.ts'
import { growingUint32 } from '../shards/growing.ts'
import { type IndexContent, scanShards } from '../shards/shard-index.ts'
import type { Shards } from '../shards/shards.ts'
import { startsOf } from '../shards/starts.ts'
import { openRecordFile, type RecordsExpectation } from './open-file.ts'

/** What the index says beside its columns: `starts`, and of each file the place of its `shape`. */
export interface RecordsFacts {
  readonly dtype: DType
  /** Of a record; those that there are. */
  readonly shapes: readonly (readonly number[])[]
  readonly labelled: boolean
}

interface OpenedFile {
  readonly samples: number
  readonly shape: readonly number[]
  readonly dtype: DType
  readonly labelled: boolean
}

async function factsOf(reader: RecordReader): Promise<OpenedFile> {
  const { samples, shape, dtype } = reader
  return { samples, shape, dtype, labelled: (await reader.labels?.()) !== undefined }
}

/** Opens every file once; where all is known, only the first. */
export async function buildRecordsIndex(
  shards: Shards,
  format: RecordFormat,
  expected: RecordsExpectation,
  signal: AbortSignal | undefined,
): Promise<IndexContent> {
  const look = async (shard: number): Promise<OpenedFile> => {
    const reader = await openRecordFile(shards, shard, format, expected)
    try {
      return await factsOf(reader)
    } finally {
      await reader.close()
    }
  }
  const { shape, dtype, samplesPerFile } = expected
  const known = shape !== undefined && dtype !== undefined && samplesPerFile !== undefined
  const files = known ? await asFirst(shards, look, samplesPerFile) : await scanShards(shards, signal, look)
  const [first] = files as [OpenedFile, ...OpenedFile[]]
  const shapes = new Map<string, number>()
  const places = growingUint32()
  for (const [i, file] of files.entries()) {
    const key = shards.key(i)
    if (file.dtype !== first.dtype)
      throw new HeadraceError(
        'E_CORRUPT',
        `${key}: records of ${file.dtype}, but those of ${shards.key(0)} are ${first.dtype}`,
        {
          url: shards.url,
          key,
        },
      )
    const text = file.shape.join()
    if (!shapes.has(text)) shapes.set(text, shapes.size)
    places.push(shapes.get(text) ?? 0)
  }
  const facts: RecordsFacts = {
    dtype: first.dtype,
    shapes: [...shapes.keys()].map((text) => (text === '' ? [] : text.split(',').map(Number))),
    labelled: files.every(({ labelled }) => labelled),
  }
  return {
    about: { ...facts },
    columns: { starts: startsOf(files.map(({ samples }) => samples)), shape: places.taken() },
  }
}

/** All files as the first one, which must be as it was said. */
async function asFirst(
  shards: Shards,
  look: (shard: number) => Promise<OpenedFile>,
  samplesPerFile: number,
): Promise<readonly OpenedFile[]> {
  const first = await look(0)
  if (first.samples !== samplesPerFile)
    throw new HeadraceError(
      'E_USAGE',
      `samplesPerFile is ${samplesPerFile}, but ${shards.key(0)} has ${first.samples}`,
      {
        url: shards.url,
        key: shards.key(0),
      },
    )
  return new Array<OpenedFile>(shards.all.length).fill(first)
}
