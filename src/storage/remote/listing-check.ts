import { HeadraceError } from '../../errors.ts'
import { compareKeys } from '../keys.ts'

/**
 * Holds the pages of a listing to what was asked for: who deletes or compares by a listing relies on its prefix and its
 * order.
 */
export class ListingCheck {
  readonly #prefix: string
  readonly #url: string
  #last: string | undefined
  #next: string | undefined

  /** `prefix`: what all names must begin with. */
  constructor(prefix: string, url: string) {
    this.#prefix = prefix
    this.#url = url
  }

  /** Whether a name is new; E_CORRUPT where it is another's, or comes too late. */
  isNew(name: string): boolean {
    if (!name.startsWith(this.#prefix)) throw this.#wrong('there are other keys in it than were asked for')
    const order = this.#last === undefined ? 1 : compareKeys(name, this.#last)
    if (order < 0) throw this.#wrong('its keys are not in the order of their bytes')
    this.#last = name
    return order > 0
  }

  /** Where the next page begins; E_CORRUPT where that is where this one began. */
  goesOn(next: string | undefined): void {
    if (next !== undefined && next === this.#next) throw this.#wrong('the next page is the same one again')
    this.#next = next
  }

  #wrong(reason: string): HeadraceError {
    return new HeadraceError('E_CORRUPT', `cannot list ${this.#url}: ${reason}`, { url: this.#url })
  }
}
