import { HeadraceError } from '../../errors.ts'
import { forwardBytes } from '../../formats/forward.ts'
import { corrupt } from '../../formats/layout.ts'
import { beginsFrame, FRAME_BYTES, HEAD_BYTES, payloadBytes, TAIL_BYTES } from '../../formats/tfrecord/frame.ts'
import { type Packing, packingOf } from '../../formats/unpack.ts'
import { type Growing, growingFloat64, growingUint32 } from '../shards/growing.ts'
import { type IndexContent, scanShards } from '../shards/shard-index.ts'
import type { Shards } from '../shards/shards.ts'
import { startsOf } from '../shards/starts.ts'

/** What the index says beside its columns. */
export interface TfrecordFacts {
  /** Of each shard. */
  readonly packings: readonly Packing[]
  /** Bytes. */
  readonly largest: number
}

/** 1 GiB: longer messages are none of TensorFlow's, whose protocol buffers end at 2 GiB. */
const MAX_PAYLOAD = 2 ** 30

interface ScannedShard {
  readonly packing: Packing
  /** Of each record's bytes in the unpacked shard. */
  readonly offsets: Growing<Float64Array>
  readonly sizes: Growing<Uint32Array>
  /** As the frame has it: masked. */
  readonly checksums: Growing<Uint32Array>
}

/** Looks through every shard once. */
export async function buildTfrecordIndex(shards: Shards, signal: AbortSignal | undefined): Promise<IndexContent> {
  const scanned = await scanShards(shards, signal, (shard) => scanShard(shards, shard, signal))
  const [offsets, sizes, checksums] = [growingFloat64(), growingUint32(), growingUint32()]
  let largest = 0
  for (const shard of scanned) {
    offsets.add(shard.offsets.taken())
    sizes.add(shard.sizes.taken())
    checksums.add(shard.checksums.taken())
    for (const size of shard.sizes.taken()) largest = Math.max(largest, size)
  }
  const facts: TfrecordFacts = { packings: scanned.map(({ packing }) => packing), largest }
  return {
    about: { ...facts },
    columns: {
      starts: startsOf(scanned.map((shard) => shard.sizes.length)),
      offsets: offsets.taken(),
      sizes: sizes.taken(),
      checksums: checksums.taken(),
    },
  }
}

async function scanShard(shards: Shards, shard: number, signal: AbortSignal | undefined): Promise<ScannedShard> {
  const source = shards.source(shard, signal)
  const file = source.name
  const head = await source.read(0, Math.min(HEAD_BYTES, source.size))
  const packing = beginsFrame(head) ? 'none' : packingOf(head)
  const bytes = forwardBytes(source, packing, shards.leap)
  const [offsets, sizes, checksums] = [growingFloat64(), growingUint32(), growingUint32()]
  try {
    let next = await bytes.read(0, HEAD_BYTES)
    for (let offset = 0; next.length > 0; ) {
      if (next.length < HEAD_BYTES) throw corrupt(file, 'the file ends within a record', { offset })
      const size = payloadBytes(next, file, offset, bytes.end ?? Number.MAX_SAFE_INTEGER)
      if (size > MAX_PAYLOAD)
        throw new HeadraceError('E_LIMIT', `${file}: a record of ${size} bytes (at most ${MAX_PAYLOAD})`, {
          path: file,
          offset,
        })
      // A record's checksum and the head of the next one lie side by side.
      const behind = await bytes.read(offset + HEAD_BYTES + size, TAIL_BYTES + HEAD_BYTES)
      if (behind.length < TAIL_BYTES) throw corrupt(file, 'the file ends within a record', { offset })
      offsets.push(offset + HEAD_BYTES)
      sizes.push(size)
      checksums.push(new DataView(behind.buffer, behind.byteOffset, TAIL_BYTES).getUint32(0, true))
      offset += FRAME_BYTES + size
      next = behind.subarray(TAIL_BYTES)
    }
  } finally {
    await bytes.close()
  }
  return { packing, offsets, sizes, checksums }
}
