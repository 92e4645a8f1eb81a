/** Records between two milestones at first. */
const FIRST_STRIDE = 1
/** 512 KiB of offsets; a file with more records keeps every second, then every fourth of them. */
const MOST = 64 * 1024

/** Where some of a file's records begin, so that any is found by a short walk and memory stays bounded. */
export class Milestones {
  readonly #offsets: number[] = []
  #stride = FIRST_STRIDE

  /** Record `index` begins at `offset`; told of all records, in order. */
  note(index: number, offset: number): void {
    if (index % this.#stride !== 0) return
    if (this.#offsets.length === MOST) {
      for (let i = 0; i < MOST / 2; i++) this.#offsets[i] = this.#offsets[2 * i] ?? 0
      this.#offsets.length = MOST / 2
      this.#stride *= 2
      if (index % this.#stride !== 0) return
    }
    this.#offsets.push(offset)
  }

  /** The last milestone at or before record `index`. */
  before(index: number): { readonly index: number; readonly offset: number } {
    const at = Math.min(Math.floor(index / this.#stride), this.#offsets.length - 1)
    return { index: at * this.#stride, offset: this.#offsets[at] ?? 0 }
  }
}
