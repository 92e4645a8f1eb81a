import { forwardBytes } from '../../formats/forward.ts'
import { isTarHeader } from '../../formats/tar/header.ts'
import { tarMembers } from '../../formats/tar/members.ts'
import { type Packing, packingOf } from '../../formats/unpack.ts'
import { type Growing, growingFloat64, growingUint8 } from '../shards/growing.ts'
import { type IndexContent, scanShards } from '../shards/shard-index.ts'
import type { Shards } from '../shards/shards.ts'
import { startsOf } from '../shards/starts.ts'
import { groupMembers } from './grouping.ts'

/** What is known of an extension, over all samples. */
export interface ExtensionFacts {
  readonly name: string
  /** Samples that have it. */
  readonly count: number
  /** Bytes. */
  readonly least: number
  readonly largest: number
  /** The first sample that has it. */
  readonly first: number
}

/** What the index says beside its columns. */
export interface WebDatasetFacts {
  readonly extensions: readonly ExtensionFacts[]
  /** Of each shard. */
  readonly packings: readonly Packing[]
}

/** Of an extension that a sample has not got. */
export const ABSENT = -1

const HEAD = 512

/** Where a shard's samples lie. */
interface ScannedShard {
  readonly packing: Packing
  readonly samples: number
  readonly keys: Growing<Uint8Array>
  readonly keyEnds: Growing<Float64Array>
  readonly extensions: ReadonlyMap<string, ScannedExtension>
}

interface ScannedExtension {
  readonly offsets: Growing<Float64Array>
  readonly sizes: Growing<Float64Array>
}

/** Looks through every shard once. */
export async function buildWebDatasetIndex(shards: Shards, signal: AbortSignal | undefined): Promise<IndexContent> {
  const scanned = await scanShards(shards, signal, (shard) => scanShard(shards, shard, signal))
  const names = [...new Set(scanned.flatMap(({ extensions }) => [...extensions.keys()]))].sort()
  const columns: IndexContent['columns'] = {
    starts: startsOf(scanned.map(({ samples }) => samples)),
    keys: joined(
      scanned.map(({ keys }) => keys.taken()),
      growingUint8(),
    ),
    keyEnds: keyEndsOf(scanned),
  }
  const extensions: ExtensionFacts[] = []
  const byExtension: Record<string, Float64Array> = {}
  for (const [i, name] of names.entries()) {
    const offsets = joined(
      scanned.map((shard) => columnOf(shard, name, 'offsets')),
      growingFloat64(),
    )
    const sizes = joined(
      scanned.map((shard) => columnOf(shard, name, 'sizes')),
      growingFloat64(),
    )
    byExtension[`offset${i}`] = offsets
    byExtension[`size${i}`] = sizes
    extensions.push(factsOf(name, sizes))
  }
  const facts: WebDatasetFacts = { extensions, packings: scanned.map(({ packing }) => packing) }
  return { about: { ...facts }, columns: { ...columns, ...byExtension } }
}

async function scanShard(shards: Shards, shard: number, signal: AbortSignal | undefined): Promise<ScannedShard> {
  const source = shards.source(shard, signal)
  const head = await source.read(0, Math.min(HEAD, source.size))
  const packing = isTarHeader(head) ? 'none' : packingOf(head)
  const bytes = forwardBytes(source, packing, shards.leap)
  const keys = growingUint8()
  const keyEnds = growingFloat64()
  const extensions = new Map<string, ScannedExtension>()
  let samples = 0
  try {
    for await (const { key, members } of groupMembers(tarMembers(bytes, source.name), source.name)) {
      keys.add(Buffer.from(key))
      keyEnds.push(keys.length)
      for (const [name, { offset, size }] of members) {
        const column = extensions.get(name) ?? { offsets: growingFloat64(), sizes: growingFloat64() }
        extensions.set(name, column)
        fillUp(column, samples)
        column.offsets.push(offset)
        column.sizes.push(size)
      }
      samples++
    }
  } finally {
    await bytes.close()
  }
  for (const column of extensions.values()) fillUp(column, samples)
  return { packing, samples, keys, keyEnds, extensions }
}

/** Samples before the `samples`-th that said nothing of this extension have not got it. */
function fillUp({ offsets, sizes }: ScannedExtension, samples: number): void {
  while (offsets.length < samples) {
    offsets.push(0)
    sizes.push(ABSENT)
  }
}

function columnOf({ extensions, samples }: ScannedShard, name: string, column: 'offsets' | 'sizes'): Float64Array {
  const found = extensions.get(name)?.[column].taken()
  return found ?? new Float64Array(samples).fill(column === 'sizes' ? ABSENT : 0)
}

function joined<A extends Uint8Array | Float64Array>(parts: readonly A[], into: Growing<A>): A {
  for (const part of parts) into.add(part)
  return into.taken()
}

/** Of each sample: where its key ends among all keys. */
function keyEndsOf(scanned: readonly ScannedShard[]): Float64Array {
  const all = growingFloat64()
  let before = 0
  for (const { keys, keyEnds } of scanned) {
    all.add(keyEnds.taken().map((end) => end + before))
    before += keys.length
  }
  return all.taken()
}

function factsOf(name: string, sizes: Float64Array): ExtensionFacts {
  let [count, least, largest, first] = [0, Number.POSITIVE_INFINITY, 0, 0]
  for (const [id, size] of sizes.entries()) {
    if (size === ABSENT) continue
    if (count++ === 0) first = id
    least = Math.min(least, size)
    largest = Math.max(largest, size)
  }
  return { name, count, least, largest, first }
}
