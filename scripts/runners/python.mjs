import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { installAsRoot, missing, PACKAGES } from '../system-packages.mjs'
import { root, run } from './command.mjs'
import { counted, skipped } from './report.mjs'

/** NumPy opens what headrace writes: test/python with a Python that has NumPy, which is made in .venv where none has. */

const tests = join(root, 'test', 'python')
const venv = join(root, '.venv')
const venvPython = join(venv, 'bin', 'python')

/** @param {string} python */
async function hasNumpy(python) {
  return (await run([python, '-c', 'import numpy'])).ok
}

/** @returns {Promise<{ python: string } | { reason: string }>} */
async function pythonWithNumpy() {
  for (const python of [venvPython, 'python3']) if (await hasNumpy(python)) return { python }
  const create = ['python3', '-m', 'venv', '--clear', venv]
  if (!(await run(create)).ok && !(installAsRoot(PACKAGES.venv) && (await run(create)).ok))
    return { reason: missing(PACKAGES.venv) }
  const installing = await run([venvPython, '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', 'numpy'])
  if (await hasNumpy(venvPython)) return { python: venvPython }
  return { reason: `pip cannot install numpy: ${installing.output.trim().split('\n').at(-1)}` }
}

async function countTests() {
  const names = await readdir(tests).catch(() => [])
  const files = names.filter((name) => /^test_.*\.py$/.test(name))
  const sources = await Promise.all(files.map((name) => readFile(join(tests, name), 'utf8')))
  return sources.join('\n').match(/^\s*def test/gm)?.length ?? 0
}

/** What unittest says last: "Ran 5 tests in 0.1s", then "OK (skipped=1)" or "FAILED (failures=1, errors=1)". */
function countsOf(output) {
  const ran = /^Ran (\d+) tests? in /m.exec(output)
  if (ran === null) return undefined
  const named = (word) => Number(new RegExp(`[( ]${word}=(\\d+)`).exec(output.slice(ran.index))?.[1] ?? 0)
  const failed = named('failures') + named('errors') + named('unexpected successes')
  const left = named('skipped')
  const reasons = [...output.matchAll(/^(\S+).* \.\.\. skipped (.*)$/gm)].map(
    ([, test, reason]) => `${test}: ${reason}`,
  )
  return { passed: Math.max(0, Number(ran[1]) - failed - left), failed, skipped: left, left: reasons }
}

export const pythonTests = {
  name: 'python tests',
  run: async () => {
    const expected = await countTests()
    if (expected === 0) return counted({ ok: false, output: 'there are no tests in test/python/test_*.py' }, undefined)
    const found = await pythonWithNumpy()
    if ('reason' in found) return skipped(found.reason, expected)
    const outcome = await run([found.python, '-m', 'unittest', 'discover', '-s', tests, '-v'])
    return counted(outcome, countsOf(outcome.output))
  },
}
