import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root, run } from './command.mjs'
import { counted } from './report.mjs'

/** All tests take their time on a slow machine. */
const LIMIT_MS = 30 * 60_000

/** @param {string} path */
async function readJson(path) {
  try {
    return JSON.parse(await readFile(path, 'utf8'))
  } catch {
    return undefined
  }
}

/** Vitest's JSON report. A file that could not even be loaded has no tests in it, and counts as one that failed. */
function countsOf(results) {
  if (results === undefined) return undefined
  const unloaded = results.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0)
  const skipped = results.testResults.flatMap(({ assertionResults }) =>
    assertionResults.filter(({ status }) => ['pending', 'skipped', 'todo'].includes(status)),
  )
  return {
    left: skipped.map(({ fullName }) =>
      /\(.*\)$/.test(fullName) ? fullName : `${fullName} (not on ${process.platform} ${process.arch})`,
    ),
    passed: results.numPassedTests,
    failed: results.numFailedTests + unloaded.length,
    skipped: results.numPendingTests + results.numTodoTests,
  }
}

export const vitest = {
  name: 'vitest',
  run: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'headrace-vitest-'))
    try {
      const file = join(folder, 'results.json')
      const line = ['vitest', 'run', '--coverage', '--reporter=default', '--reporter=json', `--outputFile.json=${file}`]
      const outcome = await run(line, { limit: LIMIT_MS })
      const result = counted(outcome, countsOf(await readJson(file)))
      const coverage = await readJson(join(root, 'coverage', 'coverage-summary.json'))
      return coverage === undefined ? result : { ...result, note: `${coverage.total.lines.pct} % of lines covered` }
    } finally {
      await rm(folder, { recursive: true })
    }
  },
}
