import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { installAsRoot, missing, PACKAGES } from '../system-packages.mjs'
import { run } from './command.mjs'
import { single, skipped } from './report.mjs'

/** Does it again only where the file that says what to install has changed. @param {string} stamp @param {string} list */
async function unlessDone(stamp, list, install) {
  const wanted = await readFile(list, 'utf8')
  const done = await readFile(stamp, 'utf8').catch(() => undefined)
  if (done === wanted) return { ok: true, output: '' }
  const outcome = await install()
  if (outcome.ok) await writeFile(stamp, wanted)
  return outcome
}

/**
 * What tests use where it is there: its absence fails nothing.
 * @param {string} name @param {string} stamp @param {string} list @param {() => Promise<{ ok: boolean, output: string }>} install
 */
export function installed(name, stamp, list, install) {
  return {
    name,
    run: async () => {
      const outcome = await unlessDone(stamp, list, install)
      if (outcome.ok) return single(outcome)
      return skipped(`cannot be installed: ${outcome.output.trim().split('\n').at(-1)}`)
    },
  }
}

/** Makes a virtual environment with what a file of requirements lists. @param {string} venv @param {string} list */
export async function installVenv(venv, list, limit) {
  await mkdir(dirname(venv), { recursive: true })
  const create = ['python3', '-m', 'venv', '--clear', venv]
  if (!(await run(create)).ok && !(installAsRoot(PACKAGES.venv) && (await run(create)).ok))
    return { ok: false, output: missing(PACKAGES.venv) }
  const pip = [join(venv, 'bin', 'python'), '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check']
  return run([...pip, '-r', list], { limit })
}
