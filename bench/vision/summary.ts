import type { Form, SetEncodings } from './encodings.ts'
import type { Results } from './results.ts'
import { type Row, rows } from './targets.ts'

/** The tables of the README: everything that is compared on every set, a column a set. */

const whole = (value: number) => Math.round(value).toLocaleString('en-US')
const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`

const FORMS: readonly Form[] = ['jpeg', 'dct', 'dct compact', 'yuv420']
const PEERS = ['FFCV rrc', 'slipstream rrc', 'slipstream yuv420 rrc', 'torch DataLoader rrc']

function head(first: readonly string[], encodings: readonly SetEncodings[]): string[] {
  const names = encodings.map(({ set }) => set.name)
  return [line([...first, ...names]), `|${'---|'.repeat(first.length)}${'--:|'.repeat(names.length)}`]
}

function formsTable(encodings: readonly SetEncodings[]): string[] {
  const cell = (rate: number, bytes: number | undefined, jpeg: number) =>
    `${whole(rate)}${bytes === undefined ? '' : ` (${(bytes / jpeg).toFixed(2)}x)`}`
  const jpegOf = ({ forms }: SetEncodings) => forms.find(({ form }) => form === 'jpeg')?.bytes ?? 1
  const own = FORMS.map((name) =>
    line([
      `headrace \`${name}\``,
      ...encodings.map((one) => {
        const found = one.forms.find(({ form }) => form === name)
        return found === undefined ? '' : cell(found.rrc.imagesPerSecond, found.bytes, jpegOf(one))
      }),
    ]),
  )
  const peers = PEERS.filter((name) => encodings.some(({ rivals }) => rivals.some((rival) => rival.name === name))).map(
    (name) =>
      line([
        name.replace(/ rrc$/, ''),
        ...encodings.map((one) => {
          const found = one.rivals.find((rival) => rival.name === name)
          return found === undefined ? '' : cell(found.rate.imagesPerSecond, found.bytes, jpegOf(one))
        }),
      ]),
  )
  return [...head(['RandomResizedCrop 224, images/s (bytes over the JPEG)'], encodings), ...own, ...peers]
}

/** Whom a row is measured against, without that one's rate; '' where the target says it. */
function rivalOf({ what, target, against }: Row): string {
  if (/bytes$|two views/.test(what) || target.includes('the better of')) return ''
  const name = against.replace(/ [\d,]+\/s$/, '')
  return target.endsWith(name) ? '' : name
}

function promisesTable(results: Results, encodings: readonly SetEncodings[]): string[] {
  const sets = encodings.map(({ set }) => set.name)
  const ratios = new Map<string, Map<string, string>>()
  for (const row of rows(results)) {
    if (!sets.includes(row.data) || row.what.includes('threads')) continue
    const rival = rivalOf(row)
    const key = line([`${row.what}${rival === '' ? '' : `, over ${rival}`}`, row.target]).slice(0, -2)
    const cells = ratios.get(key) ?? new Map<string, string>()
    cells.set(row.data, row.met === false ? `**${row.ratio}**` : row.ratio)
    ratios.set(key, cells)
  }
  const body = [...ratios].map(([key, cells]) => `${key} | ${sets.map((name) => cells.get(name) ?? '').join(' | ')} |`)
  return [...head(['measured', 'target'], encodings), ...body]
}

/** What missed its target is bold. Empty where the forms of a cache were not measured. */
export function summary(results: Results): { readonly forms: string; readonly promises: string } | undefined {
  const { encodings } = results
  if (encodings === undefined) return undefined
  return { forms: formsTable(encodings).join('\n'), promises: promisesTable(results, encodings).join('\n') }
}
