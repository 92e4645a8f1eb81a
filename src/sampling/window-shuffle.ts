import { nonNegativeInteger, positiveInteger } from '../checks.ts'
import { Permutation } from './permutation.ts'
import { checkPositions } from './positions.ts'
import { Draws, viewKey } from './random.ts'

const WINDOW_STREAM = viewKey('window\0')
const TWO_53 = 2 ** 53

/**
 * 0 .. length-1, each window of neighbours shuffled by itself. The first window ends at an offset drawn for the epoch, so
 * that samples on both sides of a bound meet in another epoch. Window k is a Permutation whose seed is draw 0 of k;
 * the offset is draw 1 of 0. Frozen: resumed runs depend on the order.
 */
export class WindowShuffle {
  readonly #length: number
  readonly #window: number
  readonly #epoch: number
  readonly #draws: Draws
  /** Where window 1 begins, 0 .. window-1; window 0 is empty where that is 0. */
  readonly #offset: number
  #at = -1
  #order = new Permutation(0, 0, 0)

  constructor(length: number, window: number, seed: number, epoch: number) {
    this.#length = nonNegativeInteger('length', length)
    this.#window = Math.min(positiveInteger('window', window), Math.max(1, length))
    this.#epoch = epoch
    this.#draws = new Draws(seed, epoch, WINDOW_STREAM)
    this.#draws.begin(0)
    this.#offset = Math.floor(this.#draws.at(1) * this.#window)
  }

  /** The ids at positions start .. start + out.length - 1. E_USAGE if they are not all within 0 .. length-1. */
  fill(start: number, out: Float64Array): void {
    checkPositions(this.#length, start, out.length)
    for (let done = 0; done < out.length; ) {
      const position = start + done
      const number = this.#windowAt(position)
      const begin = this.#beginOf(number)
      const end = Math.min(this.#length, this.#beginOf(number + 1))
      const some = out.subarray(done, done + Math.min(out.length - done, end - position))
      this.#orderOf(number, end - begin).fill(position - begin, some)
      for (let i = 0; i < some.length; i++) some[i] = begin + (some[i] as number)
      done += some.length
    }
  }

  #windowAt(position: number): number {
    return position < this.#offset ? 0 : 1 + Math.floor((position - this.#offset) / this.#window)
  }

  #beginOf(number: number): number {
    return number === 0 ? 0 : this.#offset + (number - 1) * this.#window
  }

  #orderOf(number: number, size: number): Permutation {
    if (this.#at !== number) {
      this.#draws.begin(number)
      this.#order = new Permutation(size, this.#draws.at(0) * TWO_53, this.#epoch)
      this.#at = number
    }
    return this.#order
  }
}
