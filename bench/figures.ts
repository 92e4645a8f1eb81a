import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A promise, what was measured, and whether it was kept; undefined where nothing was promised. */
export interface Figure {
  readonly what: string
  readonly target: string
  readonly ours: string
  readonly against: string
  readonly met: boolean | undefined
}

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const CLOSING = '<!-- end of it -->'

function table(figures: readonly Figure[]): string {
  const rows = figures.map(
    ({ what, target, ours, against, met }) =>
      `| ${what} | ${target} | ${met === false ? `**${ours}**` : ours} | ${against} |`,
  )
  return ['| measured | target | headrace | against |', '|---|---|--:|---|', ...rows].join('\n')
}

/** Writes a whole run's numbers to bench/results/NAME.json and its table into the README, in the place of the one before. */
export function record(name: string, results: object, figures: readonly Figure[]): void {
  writeFileSync(join(root, 'bench', 'results', `${name}.json`), `${JSON.stringify(results, undefined, 2)}\n`)
  const readme = join(root, 'README.md')
  const text = readFileSync(readme, 'utf8')
  const opening = `<!-- from bench/results/${name}.json -->`
  const start = text.indexOf(opening)
  const end = text.indexOf(CLOSING, start)
  if (start < 0 || end < 0) throw new Error(`there is no ${opening} ... ${CLOSING} in the README`)
  writeFileSync(readme, `${text.slice(0, start + opening.length)}\n${table(figures)}\n${text.slice(end)}`)
}
