import { createHash } from 'node:crypto'
import { show } from '../../checks.ts'
import { HeadraceError } from '../../errors.ts'
import { crc32 } from '../../storage/crc.ts'
import { compareKeys } from '../../storage/keys.ts'
import { BLOCK_ENTRIES, packBlock } from './block.ts'
import { type Footer, IndexRows } from './layout.ts'
import type { ManifestEntry, ManifestSummary } from './types.ts'

/** What a manifest is of, before anything is listed. */
export type ManifestSubject = Pick<ManifestSummary, 'url' | 'include' | 'exclude'>

/** Makes blocks of entries; memory is one block and sixteen bytes for each before it. */
export class ManifestPacker {
  readonly #subject: ManifestSubject
  readonly #rows = new IndexRows()
  readonly #hash = createHash('sha256')
  readonly #entries: ManifestEntry[] = []
  #text = ''
  #last: string | undefined
  #length = 0
  #bytes = 0
  #largest = 0

  constructor(subject: ManifestSubject) {
    this.#subject = subject
  }

  /** The bytes of a block where this entry fills one. E_STATE for a key that does not come behind the one before. */
  add({ key, size, etag }: ManifestEntry): Uint8Array | undefined {
    if (this.#last !== undefined && compareKeys(this.#last, key) >= 0)
      throw new HeadraceError('E_STATE', `keys must come in order, but ${show(key)} came after ${show(this.#last)}`, {
        key,
      })
    this.#last = key
    this.#entries.push({ key, size, etag })
    this.#text += `${key}\0${size}\0${etag}\n`
    this.#length++
    this.#bytes += size
    if (size > this.#largest) this.#largest = size
    return this.#entries.length === BLOCK_ENTRIES ? this.#pack() : undefined
  }

  /** The last block, where one is begun. */
  rest(): Uint8Array | undefined {
    return this.#entries.length === 0 ? undefined : this.#pack()
  }

  /** After `rest`. */
  summary(): ManifestSummary {
    const fingerprint = this.#hash.copy().digest('hex')
    return { ...this.#subject, length: this.#length, bytes: this.#bytes, largest: this.#largest, fingerprint }
  }

  /** What comes behind the last block in a file. */
  footer(): Uint8Array {
    return this.#rows.footer(this.summary())
  }

  places(): Footer {
    return this.#rows.places(this.summary())
  }

  #pack(): Uint8Array {
    // A hash of many short pieces takes longer than one of what they make.
    this.#hash.update(this.#text)
    this.#text = ''
    const { deflated, digests, textBytes } = packBlock(this.#entries)
    this.#entries.length = 0
    const stored = Buffer.concat([deflated, digests])
    this.#rows.add(deflated.length, digests.length, textBytes, crc32(stored))
    return stored
  }
}
