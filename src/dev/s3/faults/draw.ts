import type { Operation } from '../request/operation.ts'
import { type CheckedRule, type Fault, isPossible } from './rules.ts'

/** What rules look at. */
export interface Target {
  readonly operation: Operation
  readonly method: string
  readonly bucket: string | undefined
  readonly key: string | undefined
}

/** A fault that hits a request, and a number of its own in [0, 1) to choose places by. */
export interface Draw {
  readonly fault: Fault
  readonly random: number
}

/** Well-mixed 32 bits of three numbers, as a number in [0, 1). The finaliser is MurmurHash3's. */
function mixed(seed: number, rule: number, count: number): number {
  let hash = (seed ^ Math.imul(rule + 1, 0x9e3779b1) ^ Math.imul(count + 1, 0x85ebca77)) >>> 0
  for (let round = 0; round < 2; round++) {
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
    hash ^= hash >>> 16
  }
  return (hash >>> 0) / 2 ** 32
}

function keyPattern(pattern: string): RegExp {
  const source = pattern
    .replace(/[\\^$.|+()[\]{}]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
  return new RegExp(/[*?]/.test(pattern) ? `^${source}$` : `^${source}`, 'su')
}

interface Counted {
  readonly rule: CheckedRule
  readonly key: RegExp | undefined
  matched: number
  fired: number
  /** Requests that the last firing still covers. */
  burst: number
}

/**
 * Decides which requests are hit. Only the order of the requests and the seed enter: the same requests in the same
 * order meet the same faults.
 */
export class FaultDraws {
  readonly #seed: number
  readonly #rules: readonly Counted[]

  constructor(rules: readonly CheckedRule[], seed: number) {
    this.#seed = seed
    this.#rules = rules.map((rule) => ({
      rule,
      key: rule.match.key === undefined ? undefined : keyPattern(rule.match.key),
      matched: 0,
      fired: 0,
      burst: 0,
    }))
  }

  /** The fault of this request. One draw a request: it counts. */
  draw(target: Target): Draw | undefined {
    let drawn: Draw | undefined
    for (const [index, counted] of this.#rules.entries()) {
      if (!matches(counted, target)) continue
      const number = counted.matched++
      if (drawn === undefined && this.#fires(index, counted, number))
        drawn = { fault: counted.rule.fault, random: mixed(this.#seed, index + 1_000_003, number) }
    }
    return drawn
  }

  #fires(index: number, counted: Counted, number: number): boolean {
    const { rule } = counted
    if (counted.burst > 0) {
      counted.burst--
      return true
    }
    const at = number - rule.skip
    if (at < 0 || (rule.times !== undefined && counted.fired >= rule.times)) return false
    if (rule.every !== undefined && (at + 1) % rule.every !== 0) return false
    if (rule.probability !== undefined && mixed(this.#seed, index, number) >= rule.probability) return false
    counted.fired++
    counted.burst = 'burst' in rule.fault ? rule.fault.burst - 1 : 0
    return true
  }
}

function matches({ rule, key }: Counted, target: Target): boolean {
  const { match } = rule
  return (
    isPossible(rule.fault, target.operation) &&
    (match.method === undefined || match.method === target.method) &&
    (match.op === undefined || match.op === target.operation) &&
    (match.bucket === undefined || match.bucket === target.bucket) &&
    (key === undefined || key.test(target.key ?? ''))
  )
}
