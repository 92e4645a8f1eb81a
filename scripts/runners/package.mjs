import { join } from 'node:path'
import { installAsRoot, missing, PACKAGES } from '../system-packages.mjs'
import { root, run } from './command.mjs'
import { counted, skipped } from './report.mjs'

/** The Python package's own tests, by pytest. What needs a framework that is not there is skipped, and says so. */

const tests = join(root, 'python', 'tests')
const venv = join(root, '.venv')
const venvPython = join(venv, 'bin', 'python')
/** Importing TensorFlow alone takes half a minute on a busy machine, and workers that do not fork import all again. */
const LIMIT_MS = 30 * 60_000

/** @param {string} python */
async function hasWhatTestsNeed(python) {
  return (await run([python, '-c', 'import numpy, pytest'])).ok
}

/** @returns {Promise<{ python: string } | { reason: string }>} */
async function pythonWithPytest() {
  for (const python of [venvPython, 'python3']) if (await hasWhatTestsNeed(python)) return { python }
  const create = ['python3', '-m', 'venv', venv]
  if (!(await run(create)).ok && !(installAsRoot(PACKAGES.venv) && (await run(create)).ok))
    return { reason: missing(PACKAGES.venv) }
  const pip = [venvPython, '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', 'numpy', 'pytest']
  const installing = await run(pip)
  if (await hasWhatTestsNeed(venvPython)) return { python: venvPython }
  return { reason: `pip cannot install numpy and pytest: ${installing.output.trim().split('\n').at(-1)}` }
}

/** What pytest says last, "3 passed, 1 skipped in 2.1s", and a line for each reason to skip. */
function countsOf(output) {
  const last = [...output.matchAll(/^(?:=+ )?((?:\d+ [a-z]+,? ?)+) in [\d.]+s.*$/gm)].at(-1)?.[1]
  if (last === undefined) return undefined
  const named = (word) => Number(new RegExp(`(\\d+) ${word}`).exec(last)?.[1] ?? 0)
  const left = [...output.matchAll(/^SKIPPED \[(\d+)\] (\S+?)(?::\d+)?: (.*)$/gm)].map(
    ([, count, file, reason]) => `${file}: ${reason}${count === '1' ? '' : `: ${count} tests`}`,
  )
  return { passed: named('passed'), failed: named('failed') + named('errors?'), skipped: named('skipped'), left }
}

/**
 * All tests of the package with one Python.
 * @param {string} python
 * @param {{ complete?: boolean }} [options] complete: a test that is skipped because something is not installed failed
 * @returns {Promise<import('./report.mjs').Result>}
 */
export async function testPackage(python, { complete = false } = {}) {
  const outcome = await run([python, '-m', 'pytest', '-q', '-rs', '-p', 'no:cacheprovider', tests], { limit: LIMIT_MS })
  const result = counted(outcome, countsOf(outcome.output))
  const absent = complete ? (result.left ?? []).filter((line) => line.includes('is not installed')) : []
  if (absent.length === 0) return result
  const output = `${result.output}\nnothing may be skipped here, but was:\n${absent.join('\n')}\n`
  return { ...result, failed: result.failed + absent.length, output }
}

/** @type {import('./report.mjs').Runner} */
export const packageTests = {
  name: 'python package',
  run: async () => {
    const found = await pythonWithPytest()
    return 'reason' in found ? skipped(found.reason) : testPackage(found.python)
  },
}
