/**
 * JSON as Python's `json.dump(value, file, indent=4)` writes it, so that a diff against DLIO's own files shows values
 * only: floats keep their point (`0.0`), exponents have two digits, and everything else is ASCII.
 */

/** A number that Python holds as a float: `1` of it is `1.0`. */
export class Float {
  readonly value: number

  constructor(value: number) {
    this.value = value
  }
}

/** Objects are Maps, since an object of JavaScript moves keys like "1" to its front; a Float64Array is a list of floats. */
export type PythonValue =
  | Float
  | Float64Array
  | number
  | string
  | boolean
  | null
  | readonly PythonValue[]
  | ReadonlyMap<string, PythonValue>

/** Python's `repr` of a float: the shortest digits that are read back as the same, with an exponent from 1e16 on and below 1e-4. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? 'Infinity' : '-Infinity'
  const [, mantissa = '', exponent = ''] = /^(.*)e([+-]\d+)$/.exec(value.toExponential()) ?? []
  const power = Number(exponent)
  if (value !== 0 && (power < -4 || power >= 16)) {
    const digits = String(Math.abs(power)).padStart(2, '0')
    return `${mantissa}e${power < 0 ? '-' : '+'}${digits}`
  }
  // From 1e-6 on down JavaScript would write an exponent.
  const text = Object.is(value, -0) ? '-0' : power < 0 ? smallText(mantissa, power) : String(value)
  return text.includes('.') ? text : `${text}.0`
}

/** Of a number between -1 and 1. */
function smallText(mantissa: string, power: number): string {
  const sign = mantissa.startsWith('-') ? '-' : ''
  return `${sign}0.${'0'.repeat(-power - 1)}${mantissa.replace(/[-.]/g, '')}`
}

/** With `digits` behind the point, as Python's `format(value, '.2f')`: what is exactly between two goes to the even one. */
export function fixed(value: number, digits: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf'
  const scaled = Math.abs(value) * 10 ** digits
  // Only a multiple of 2^-(digits + 1) can lie exactly between two decimals.
  const between = Number.isInteger(value * 2 ** (digits + 1)) && scaled % 1 === 0.5
  if (!between) return value.toFixed(digits)
  const even = 2 * Math.round(scaled / 2)
  return `${value < 0 ? '-' : ''}${(even / 10 ** digits).toFixed(digits)}`
}

function stringText(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

function* listText(items: Iterable<PythonValue>, indent: string): Generator<string> {
  let first = true
  for (const item of items) {
    yield `${first ? '[' : ','}\n${indent}    `
    yield* pieces(item, `${indent}    `)
    first = false
  }
  yield first ? '[]' : `\n${indent}]`
}

function* pieces(value: PythonValue, indent: string): Generator<string> {
  if (value instanceof Float) yield floatText(value.value)
  else if (value instanceof Float64Array) yield* floatsText(value, indent)
  else if (typeof value === 'string') yield stringText(value)
  else if (value === null || typeof value !== 'object') yield String(value)
  else if (value instanceof Map) {
    let first = true
    for (const [key, item] of value as ReadonlyMap<string, PythonValue>) {
      yield `${first ? '{' : ','}\n${indent}    ${stringText(key)}: `
      yield* pieces(item, `${indent}    `)
      first = false
    }
    yield first ? '{}' : `\n${indent}}`
  } else yield* listText(value as readonly PythonValue[], indent)
}

/** Numbers that become one piece of text. */
const RUN = 1024

function* floatsText(values: Float64Array, indent: string): Generator<string> {
  if (values.length === 0) {
    yield '[]'
    return
  }
  const between = `,\n${indent}    `
  for (let at = 0; at < values.length; at += RUN)
    yield `${at === 0 ? `[\n${indent}    ` : between}${Array.from(values.subarray(at, at + RUN), floatText).join(between)}`
  yield `\n${indent}]`
}

/** The document in pieces, none of which is long: all of it may be longer than a string can be. */
export function pythonJson(value: PythonValue): Generator<string> {
  return pieces(value, '')
}
