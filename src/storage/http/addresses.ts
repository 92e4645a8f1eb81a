import { lookup } from 'node:dns'
import { isIP } from 'node:net'

/** Milliseconds that names are not looked up again: what S3 says of its own. */
const REMEMBERED = 5_000

type Asking = (error: Error | undefined, addresses: readonly string[]) => void

/** All addresses of one host, so that connections are spread over them. */
export class Addresses {
  readonly #host: string
  #known: readonly string[]
  /** `performance.now()` */
  #until: number
  #next = 0
  /** What could not be connected to is tried last. */
  readonly #refused = new Set<string>()
  #asking: Asking[] = []

  constructor(host: string) {
    this.#host = host
    this.#known = isIP(host) > 0 ? [host] : []
    this.#until = isIP(host) > 0 ? Infinity : 0
  }

  /** The addresses in the order in which they are to be tried, which is another one at every call. */
  resolve(answer: Asking): void {
    if (performance.now() < this.#until) {
      answer(undefined, this.#inTurn())
      return
    }
    this.#asking.push(answer)
    if (this.#asking.length > 1) return
    lookup(this.#host, { all: true }, (error, found) => {
      const asking = this.#asking
      this.#asking = []
      if (error === null) {
        this.#known = found.map(({ address }) => address)
        this.#until = performance.now() + REMEMBERED
        this.#refused.clear()
      }
      for (const each of asking) {
        if (error === null) each(undefined, this.#inTurn())
        else each(error, [])
      }
    })
  }

  failed(address: string): void {
    this.#refused.add(address)
  }

  #inTurn(): readonly string[] {
    const known = this.#known
    if (known.length < 2) return known
    const first = this.#next++ % known.length
    const turned = [...known.slice(first), ...known.slice(0, first)]
    if (this.#refused.size === 0) return turned
    return [
      ...turned.filter((address) => !this.#refused.has(address)),
      ...turned.filter((address) => this.#refused.has(address)),
    ]
  }
}
