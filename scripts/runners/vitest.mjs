import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
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

/**
 * What was skipped, a line for each reason: a name that ends with one in brackets stands for all that is under it. Where
 * no name has one, the file says what the test needs.
 * @param {readonly { file: string, ancestorTitles: readonly string[], title: string, fullName: string }[]} tests
 */
function reasons(tests) {
  /** @type {Map<string, number>} */
  const counts = new Map()
  for (const { file, ancestorTitles, title, fullName } of tests) {
    const told = [...ancestorTitles, title].find((each) => / \(.*\)$/.test(each))
    const line = told ?? `${fullName} (what it needs, which ${relative(root, file)} says, is not here)`
    counts.set(line, (counts.get(line) ?? 0) + 1)
  }
  return [...counts].map(([line, count]) => (count === 1 ? line : `${line}: ${count} tests`))
}

/** Vitest's JSON report. A file that could not even be loaded has no tests in it, and counts as one that failed. */
function countsOf(results) {
  if (results === undefined) return undefined
  const unloaded = results.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0)
  const skipped = results.testResults.flatMap(({ name: file, assertionResults }) =>
    assertionResults
      .filter(({ status }) => ['pending', 'skipped', 'todo'].includes(status))
      .map((test) => ({ ...test, file })),
  )
  return {
    left: reasons(skipped),
    passed: results.numPassedTests,
    failed: results.numFailedTests + unloaded.length,
    skipped: results.numPendingTests + results.numTodoTests,
  }
}

/** @param {readonly string[]} args */
async function results(args) {
  const folder = await mkdtemp(join(tmpdir(), 'headrace-vitest-'))
  try {
    const file = join(folder, 'results.json')
    const line = ['vitest', 'run', ...args, '--reporter=default', '--reporter=json', `--outputFile.json=${file}`]
    const outcome = await run(line, { limit: LIMIT_MS })
    return counted(outcome, countsOf(await readJson(file)))
  } finally {
    await rm(folder, { recursive: true })
  }
}

export const vitest = {
  name: 'vitest',
  run: async () => {
    const result = await results(['--coverage'])
    const coverage = await readJson(join(root, 'coverage', 'coverage-summary.json'))
    return coverage === undefined ? result : { ...result, note: `${coverage.total.lines.pct} % of lines covered` }
  },
}

/** The tests of some files or folders. @param {string} name @param {readonly string[]} files @returns {import('./report.mjs').Runner} */
export function testsOf(name, files) {
  return { name, run: () => results(files) }
}
