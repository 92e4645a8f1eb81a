import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { installAsRoot, missing, PACKAGES } from '../system-packages.mjs'
import { root, run } from './command.mjs'
import { single, skipped } from './report.mjs'

/** Clients of others in test/oracle, which tests hold ours and our servers against: what is not there is skipped by them. */

const folder = join(root, 'test', 'oracle')
const NPM = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', '--prefix', folder]
/** Machines without a network need not wait for their registries longer. */
const LIMIT_MS = 120_000

/** Does it again only where the file that says what to install has changed. @param {string} stamp @param {string} list */
async function unlessDone(stamp, list, install) {
  const wanted = await readFile(join(folder, list), 'utf8')
  const done = await readFile(stamp, 'utf8').catch(() => undefined)
  if (done === wanted) return { ok: true, output: '' }
  const outcome = await install()
  if (outcome.ok) await writeFile(stamp, wanted)
  return outcome
}

/** @param {string} name @param {string} stamp @param {string} list @param {() => Promise<{ ok: boolean, output: string }>} install */
function installed(name, stamp, list, install) {
  return {
    name,
    run: async () => {
      const outcome = await unlessDone(join(folder, stamp), list, install)
      if (outcome.ok) return single(outcome)
      return skipped(`cannot be installed: ${outcome.output.trim().split('\n').at(-1)}`)
    },
  }
}

async function installBoto() {
  const venv = join(folder, '.venv')
  const create = ['python3', '-m', 'venv', '--clear', venv]
  if (!(await run(create)).ok && !(installAsRoot(PACKAGES.venv) && (await run(create)).ok))
    return { ok: false, output: missing(PACKAGES.venv) }
  const pip = [join(venv, 'bin', 'python'), '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check']
  return run([...pip, '-r', join(folder, 'requirements.txt')], { limit: LIMIT_MS })
}

export const oracles = [
  installed('AWS SDK', 'node_modules/.headrace', 'package-lock.json', () => run(['npm', ...NPM], { limit: LIMIT_MS })),
  installed('boto3', '.venv/.headrace', 'requirements.txt', installBoto),
]
