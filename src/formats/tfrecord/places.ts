import { corrupt } from '../layout.ts'
import { Milestones } from '../milestones.ts'
import type { ByteSource } from '../types.ts'
import { FRAME_BYTES, HEAD_BYTES, payloadBytes } from './frame.ts'

/** Where the frames of a file lie. */
export interface Places {
  readonly samples: number
  /** All frames have the length that the layout gives them. */
  readonly even: boolean
  /** Of the frame's head. */
  offset(sample: number): number | Promise<number>
}

/** Frames of one length: arithmetic. */
export function evenPlaces(samples: number, frameBytes: number): Places {
  return { samples, even: true, offset: (sample) => sample * frameBytes }
}

/** 64 MiB of text, some four million records; of a longer index the file itself is walked through. */
export const MAX_INDEX_BYTES = 64 * 2 ** 20

/** What DALI's index says, a line a record: offset and length. */
export async function indexedPlaces(source: ByteSource, index: ByteSource): Promise<Places> {
  const text = Buffer.from(await index.read(0, index.size)).toString('latin1')
  const offsets: number[] = []
  for (const line of text.split('\n')) {
    if (line === '') continue
    const [, offset, length] = /^(\d{1,16}) (\d{1,16})\r?$/.exec(line) ?? []
    const sample = offsets.length
    if (offset === undefined || length === undefined)
      throw corrupt(
        index.name,
        `line ${sample + 1} is not an offset and a length: ${JSON.stringify(line.slice(0, 40))}`,
      )
    if (Number(offset) + Number(length) > source.size)
      throw corrupt(source.name, `its index names ${length} bytes behind its end, ${source.size}`, {
        sample,
        offset: Number(offset),
      })
    offsets.push(Number(offset))
  }
  return { samples: offsets.length, even: false, offset: (sample) => offsets[sample] ?? 0 }
}

/** 64 KiB at once where records are small. */
const WINDOW = 64 * 1024

/** Reads heads one after the other. */
class HeadWalk {
  readonly #source: ByteSource
  #window = new Uint8Array(0)
  #start = 0
  #last = 0

  constructor(source: ByteSource) {
    this.#source = source
  }

  /** Where the frame at `offset` ends. */
  async end(offset: number): Promise<number> {
    const { name, size } = this.#source
    if (offset + FRAME_BYTES > size) throw corrupt(name, `the file ends at ${size}, within a record`, { offset })
    if (offset < this.#start || offset + HEAD_BYTES > this.#start + this.#window.length) {
      const length = this.#last > WINDOW / 4 ? HEAD_BYTES : Math.min(WINDOW, size - offset)
      this.#window = new Uint8Array(await this.#source.read(offset, length))
      this.#start = offset
    }
    const head = this.#window.subarray(offset - this.#start, offset - this.#start + HEAD_BYTES)
    this.#last = payloadBytes(head, name, offset, size)
    return offset + FRAME_BYTES + this.#last
  }
}

/** Walks through a file from head to head. */
export async function walkedPlaces(source: ByteSource): Promise<Places> {
  const milestones = new Milestones()
  const walk = new HeadWalk(source)
  let samples = 0
  for (let offset = 0; offset < source.size; offset = await walk.end(offset)) milestones.note(samples++, offset)
  return {
    samples,
    even: false,
    offset: async (sample) => {
      const { index, offset } = milestones.before(sample)
      let at = offset
      // Its own window: reads of several samples may be under way.
      const from = index === sample ? undefined : new HeadWalk(source)
      for (let i = index; i < sample && from !== undefined; i++) at = await from.end(at)
      return at
    },
  }
}
