import { show } from '../../checks.ts'
import { HeadraceError } from '../../errors.ts'
import { crc32 } from '../../storage/crc.ts'
import { BLOCK_ENTRIES, Block } from './block.ts'
import { type Footer, notAManifest } from './layout.ts'
import type { Manifest, ManifestEntry } from './types.ts'

/** The bytes of a manifest's blocks, without waiting. */
export interface BlockBytes {
  block(index: number, offset: number, length: number): Uint8Array
  close(): void
}

/** 524,288 entries, some 50 MB: below that many objects every block is unpacked once. */
const MOST_BLOCKS = 2048

/** A manifest by its blocks; those that were looked at last stay unpacked. */
export class PackedManifest implements Manifest {
  readonly url: string
  readonly length: number
  readonly bytes: number
  readonly largest: number
  readonly fingerprint: string
  readonly include: readonly string[]
  readonly exclude: readonly string[]
  readonly #name: string
  readonly #footer: Footer
  readonly #source: BlockBytes
  readonly #unpacked = new Map<number, Block>()
  /** The one that was asked for last: batches ask for the same again. */
  #recent: { readonly index: number; readonly block: Block } | undefined

  /** `name`: what messages call it. */
  constructor(name: string, footer: Footer, source: BlockBytes) {
    const { url, length, bytes, largest, fingerprint, include, exclude } = footer.summary
    this.url = url
    this.length = length
    this.bytes = bytes
    this.largest = largest
    this.fingerprint = fingerprint
    this.include = include
    this.exclude = exclude
    this.#name = name
    this.#footer = footer
    this.#source = source
  }

  entry(id: number): ManifestEntry {
    return this.#blockOf(id).entry(id % BLOCK_ENTRIES)
  }

  size(id: number): number {
    return this.#blockOf(id).size(id % BLOCK_ENTRIES)
  }

  *entries(start = 0): Generator<ManifestEntry> {
    let skip = start % BLOCK_ENTRIES
    for (let index = Math.floor(start / BLOCK_ENTRIES); index < this.#footer.blocks; index++) {
      yield* this.#unpack(index).entries(skip)
      skip = 0
    }
  }

  close(): void {
    this.#unpacked.clear()
    this.#recent = undefined
    this.#source.close()
  }

  #blockOf(id: number): Block {
    if (!Number.isSafeInteger(id) || id < 0 || id >= this.length)
      throw new HeadraceError(
        'E_USAGE',
        `sample id must be an integer from 0 to ${this.length - 1}, but got ${show(id)}`,
      )
    const index = Math.floor(id / BLOCK_ENTRIES)
    if (this.#recent?.index === index) return this.#recent.block
    const known = this.#unpacked.get(index)
    if (known !== undefined) this.#unpacked.delete(index)
    const block = known ?? this.#unpack(index)
    this.#unpacked.set(index, block)
    if (this.#unpacked.size > MOST_BLOCKS) {
      const [oldest] = this.#unpacked.keys()
      this.#unpacked.delete(oldest as number)
    }
    this.#recent = { index, block }
    return block
  }

  #unpack(index: number): Block {
    const { offset, deflatedBytes, digestBytes, textBytes, crc } = this.#footer.place(index)
    const bytes = this.#source.block(index, offset, deflatedBytes + digestBytes)
    if (crc32(bytes) !== crc) throw notAManifest(this.#name, `the checksum of block ${index} is wrong`)
    const count = Math.min(BLOCK_ENTRIES, this.length - index * BLOCK_ENTRIES)
    const packed = { deflated: bytes.subarray(0, deflatedBytes), digests: bytes.subarray(deflatedBytes), textBytes }
    try {
      return new Block(packed, count)
    } catch (error) {
      throw notAManifest(this.#name, `block ${index}: ${error instanceof Error ? error.message : error}`)
    }
  }
}
