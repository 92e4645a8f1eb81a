import { HeadraceError } from '../../errors.ts'
import { type DirectAlignment, native } from '../../native.ts'
import type { Sink } from '../file/pending-file.ts'
import type { DirectTransfers } from './transfers.ts'

/**
 * Writes a file around the page cache in blocks of full width. Pieces shorter than a block wait in aligned memory until
 * there is one; while it is written, the next is filled. Memory: two blocks, and as many as are under way at once where
 * the caller's memory is not aligned.
 *
 * What is left at the end and is no whole block of the device goes through the page cache, in the order after all else.
 * (Padding it and cutting the file off again would send the same block through the page cache, and read it first.)
 */
export class DirectSink implements Sink {
  readonly #fd: number
  readonly #size: number | undefined
  readonly #transfers: DirectTransfers
  readonly #alignment: DirectAlignment
  /** Bytes of the file that are written or on their way. */
  #offset = 0
  #reserved = false
  #block: Uint8Array | undefined
  /** Bytes that wait in the block. */
  #waiting = 0
  #ended = false
  #underWay: Promise<void> = Promise.resolve()

  /** A system error EINVAL where the file system refuses. */
  constructor(fd: number, size: number | undefined, transfers: DirectTransfers) {
    this.#fd = fd
    this.#size = size
    this.#transfers = transfers
    this.#alignment = native.beginDirect(fd)
    const { offsetAlignment } = this.#alignment
    if (transfers.blockSize % offsetAlignment !== 0)
      throw new HeadraceError(
        'E_USAGE',
        `blockSize must be a multiple of ${offsetAlignment}, which this file system wants, but got ${transfers.blockSize}`,
      )
  }

  async write(bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    if (bytes.length === 0) return
    if (this.#ended) throw new HeadraceError('E_STATE', 'the file has all its bytes already')
    const last = this.#offset + this.#waiting + bytes.length === this.#size
    for (let done = 0; done < bytes.length; ) {
      const left = bytes.length - done
      if (this.#waiting === 0 && (last || left >= this.#transfers.blockSize)) {
        const length = last ? left : left - (left % this.#transfers.blockSize)
        await this.#send(bytes.subarray(done, done + length), signal)
        done += length
        continue
      }
      this.#block ??= this.#transfers.takeBlock()
      const piece = bytes.subarray(done, done + this.#block.length - this.#waiting)
      this.#block.set(piece, this.#waiting)
      this.#waiting += piece.length
      done += piece.length
      if (this.#waiting === this.#block.length) await this.#sendBlock(signal)
    }
  }

  async finish(): Promise<void> {
    if (this.#waiting > 0) await this.#sendBlock(undefined)
    await this.#underWay
  }

  async drop(): Promise<void> {
    this.#ended = true
    await this.#underWay.catch(() => {})
    if (this.#block !== undefined) this.#transfers.giveBlock(this.#block)
    this.#block = undefined
  }

  /** Writes what waits, while the caller goes on. */
  async #sendBlock(signal: AbortSignal | undefined): Promise<void> {
    const block = this.#block
    if (block === undefined) return
    const bytes = block.subarray(0, this.#waiting)
    this.#block = undefined
    this.#waiting = 0
    await this.#underWay
    const sent = this.#send(bytes, signal)
    this.#underWay = sent.then(() => this.#transfers.giveBlock(block))
    // Whoever awaits it next hears of it; meanwhile nobody does.
    this.#underWay.catch(() => {})
  }

  async #send(bytes: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
    const offset = this.#offset
    const reserve = this.#reserved ? 0 : (this.#size ?? 0)
    this.#reserved = true
    this.#offset += bytes.length
    // The rest at the end takes the descriptor's flag away, under which others may still be on their way.
    this.#ended = bytes.length % this.#alignment.offsetAlignment !== 0
    if (this.#ended) await this.#underWay
    const job = { fd: this.#fd, bytes, offset, reserve, ...this.#alignment }
    await this.#transfers.run(signal, (method) => native.writeDirect({ ...method, ...job }))
  }
}
