import { show } from '../../checks.ts'
import { type DType, integersOf, type TypedArray } from '../../dtype.ts'
import { HeadraceError } from '../../errors.ts'

/** Numbers as text, the way pandas writes them, and back. */

/** Longest text of a number: a float64 with its exponent has 24 characters. */
const MAX_NUMBER = 64

const COMMA = 0x2c

/** E_CONFIG for what no text is defined for. */
export function checkDtype(dtype: DType): void {
  if (dtype === 'float16' || dtype === 'bfloat16')
    throw new HeadraceError('E_CONFIG', `csv files hold float32 and float64, but got ${dtype}`)
}

/** Below this float32 has fewer than 24 bits, and a number fewer than six digits. */
const SMALLEST_NORMAL = 2 ** -126

/** The fewest digits that read back as the same float32. */
function float32Text(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return floatText(value)
  for (let digits = Math.abs(value) < SMALLEST_NORMAL ? 1 : 6; digits < 9; digits++) {
    const text = Number(value.toPrecision(digits))
    if (Math.fround(text) === value) return floatText(text)
  }
  return floatText(Number(value.toPrecision(9)))
}

function floatText(value: number): string {
  if (Number.isNaN(value)) return 'nan'
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf'
  const text = Object.is(value, -0) ? '-0' : String(value)
  return /[.e]/.test(text) ? text : `${text}.0`
}

/** Numbers with commas between them. */
export function textOf(dtype: DType, values: TypedArray): string {
  switch (dtype) {
    case 'bool':
      return Array.from(values as Uint8Array, (value) => (value === 0 ? 'False' : 'True')).join(',')
    case 'float32':
      return Array.from(values as Float32Array, float32Text).join(',')
    case 'float64':
      return Array.from(values as Float64Array, floatText).join(',')
    default:
      return values.join(',')
  }
}

/** What the numbers of a text are, from some of them. */
export function dtypeOfText(texts: readonly string[]): DType {
  if (texts.every((text) => text === 'True' || text === 'False')) return 'bool'
  if (!texts.every((text) => /^\s*-?\d{1,20}\s*$/.test(text))) return 'float64'
  const values = texts.map((text) => BigInt(text.trim()))
  const fits = (['uint8', 'int64', 'uint64'] as const).find((dtype) => {
    const [first, last] = integersOf(dtype) ?? [0n, 0n]
    return values.every((value) => value >= first && value <= last)
  })
  return fits ?? 'float64'
}

const SPECIAL: Readonly<Record<string, number>> = {
  nan: Number.NaN,
  NaN: Number.NaN,
  '': Number.NaN,
  inf: Infinity,
  '-inf': -Infinity,
}

function numberOf(text: string): number | undefined {
  const trimmed = text.trim()
  if (Object.hasOwn(SPECIAL, trimmed)) return SPECIAL[trimmed]
  return /^[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/.test(trimmed) ? Number(trimmed) : undefined
}

/** A number of `dtype`; undefined for a text that is none. */
function numberIn(dtype: DType, text: string): number | bigint | undefined {
  if (dtype === 'float32' || dtype === 'float64') return numberOf(text)
  const trimmed = text.trim()
  if (dtype === 'bool') return { True: 1, False: 0, '1': 1, '0': 0 }[trimmed]
  if (!/^-?\d{1,20}$/.test(trimmed)) return undefined
  const value = BigInt(trimmed)
  const [first, last] = integersOf(dtype) ?? [0n, 0n]
  if (value < first || value > last) return undefined
  return dtype === 'int64' || dtype === 'uint64' ? value : Number(value)
}

/** Reads a row of numbers into `values`, in as many pieces as it comes in. */
export class RowParser {
  /** Numbers read so far. */
  count = 0
  readonly #dtype: DType
  readonly #values: TypedArray
  readonly #fail: (reason: string) => Error
  /** Of a number that goes on in the next piece. */
  #begun = ''

  constructor(dtype: DType, values: TypedArray, fail: (reason: string) => Error) {
    this.#dtype = dtype
    this.#values = values
    this.#fail = fail
  }

  push(bytes: Uint8Array): void {
    let at = 0
    if (this.#dtype === 'uint8' && this.#begun === '') at = this.#pushBytes(bytes)
    for (;;) {
      const comma = bytes.indexOf(COMMA, at)
      const end = comma < 0 ? bytes.length : comma
      if (end - at + this.#begun.length > MAX_NUMBER)
        throw this.#fail(`column ${this.count + 1} has more than ${MAX_NUMBER} characters`)
      const text = this.#begun + String.fromCharCode(...bytes.subarray(at, end))
      this.#begun = comma < 0 ? text : ''
      if (comma < 0) return
      this.#put(text)
      at = comma + 1
    }
  }

  end(): void {
    this.#put(this.#begun)
    this.#begun = ''
    if (this.count !== this.#values.length)
      throw this.#fail(`a row of ${this.count} columns, where ${this.#values.length} were expected`)
  }

  /** The bulk of the usual: up to three digits and a comma. Ends where there is anything else. */
  #pushBytes(bytes: Uint8Array): number {
    const values = this.#values as Uint8Array
    let begun = 0
    let value = 0
    for (let at = 0; at < bytes.length; at++) {
      const digit = (bytes[at] ?? 0) - 0x30
      if (digit >= 0 && digit <= 9) {
        value = value * 10 + digit
        continue
      }
      const fits = digit === COMMA - 0x30 && at > begun && at - begun <= 3 && value <= 255 && this.count < values.length
      if (!fits) break
      values[this.count++] = value
      value = 0
      begun = at + 1
    }
    return begun
  }

  #put(text: string): void {
    if (this.count >= this.#values.length)
      throw this.#fail(`a row of more than the ${this.#values.length} columns that were expected`)
    const value = numberIn(this.#dtype, text)
    if (value === undefined) throw this.#fail(`column ${this.count + 1} is no ${this.#dtype}: ${show(text)}`)
    this.#values[this.count++] = value
  }
}
