import { HeadraceError } from '../errors.ts'

/** A step's share of what may be fetched. */
export interface FetchTicket {
  /** What its samples take, once they are read. */
  found(bytes: number): void
  /** Its samples are in their slot, or nobody wants them. Safe to call more than once. */
  leave(): void
}

interface Waiting {
  readonly resolve: (ticket: FetchTicket) => void
  readonly reject: (error: unknown) => void
}

/**
 * Bounds the bytes of samples that are read and do not lie in a slot yet. A step is taken to be as large as the largest
 * one before it; until one is known, one reads alone. Steps come in in their order, and a step that must read again keeps
 * its ticket: otherwise a later one could wait for a slot with the share that an earlier one needs.
 */
export class FetchBudget {
  readonly #maxBytes: number
  readonly #waiting: Waiting[] = []
  #inside = 0
  #bytes = 0
  #largest: number | undefined

  /** `largest`: of an earlier budget. */
  constructor(maxBytes: number, largest: number | undefined) {
    this.#maxBytes = maxBytes
    this.#largest = largest
  }

  /** Bytes of the largest step until now; undefined before the first. */
  get largest(): number | undefined {
    return this.#largest
  }

  /** A ticket, at once where there is room for another step. */
  enter(): FetchTicket | Promise<FetchTicket> {
    if (this.#waiting.length === 0 && this.#hasRoom()) return this.#admit()
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  /** Nobody who waits comes in any more. */
  close(): void {
    for (const { reject } of this.#waiting.splice(0))
      reject(new HeadraceError('E_CANCELLED', 'nobody wants this batch any more'))
  }

  #hasRoom(): boolean {
    if (this.#inside === 0) return true
    return this.#largest !== undefined && this.#bytes + this.#largest <= this.#maxBytes
  }

  #admit(): FetchTicket {
    let held = this.#largest ?? 0
    let inside = true
    this.#inside++
    this.#bytes += held
    return {
      found: (bytes) => {
        if (!inside) return
        this.#bytes += bytes - held
        held = bytes
        this.#largest = Math.max(this.#largest ?? 0, bytes)
        this.#serve()
      },
      leave: () => {
        if (!inside) return
        inside = false
        this.#inside--
        this.#bytes -= held
        this.#serve()
      },
    }
  }

  #serve(): void {
    for (let next = this.#waiting[0]; next !== undefined && this.#hasRoom(); next = this.#waiting[0]) {
      this.#waiting.shift()
      next.resolve(this.#admit())
    }
  }
}
