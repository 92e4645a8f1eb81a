import type { Results } from './results.ts'
import { rows } from './targets.ts'

/** Around the table in the README, which the benchmark writes anew. */
const OPENING = '<!-- from bench/results/storage.json -->'
const CLOSING = '<!-- end of it -->'

/** What is promised and what was measured, as Markdown; what missed its target is bold. */
function summary(results: Results): string {
  const body = rows(results).map(({ what, target, ours, against, ratio, met }) => {
    const value = ratio === '-' ? ours : `${ours} (${ratio})`
    return `| ${what} | ${target} | ${met === false ? `**${value}**` : value} | ${against} |`
  })
  return ['| measured | target | headrace | against |', '|---|---|--:|---|', ...body].join('\n')
}

/** The text with this run's table in the place of the one before. */
export function withSummary(text: string, results: Results): string {
  const start = text.indexOf(OPENING)
  const end = text.indexOf(CLOSING, start)
  if (start < 0 || end < 0) throw new Error(`there is no ${OPENING} ... ${CLOSING}`)
  return `${text.slice(0, start + OPENING.length)}\n${summary(results)}\n${text.slice(end)}`
}
