import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { installAsRoot, missing, PACKAGES } from '../system-packages.mjs'
import { root, run } from './command.mjs'
import { testPackage } from './package.mjs'
import { single } from './report.mjs'

/** PyTorch, TensorFlow and JAX in a virtual environment outside the tree (3 GB), and the Python package's tests there. */

const TORCH = ['torch==2.15.0', 'torchdata==0.11.0']
/** 1 GB is downloaded. */
const LIMIT_MS = 20 * 60_000
const requirements = join(root, 'scripts', 'frameworks', 'requirements.txt')
const stubs = join(root, 'scripts', 'frameworks', 'cuda_stubs.py')

function cacheFolder() {
  const { HEADRACE_CACHE_DIR, XDG_CACHE_HOME } = process.env
  if (HEADRACE_CACHE_DIR) return HEADRACE_CACHE_DIR
  if (XDG_CACHE_HOME) return join(XDG_CACHE_HOME, 'headrace')
  return process.platform === 'darwin' ? join(homedir(), 'Library/Caches/headrace') : join(homedir(), '.cache/headrace')
}

/** `$HEADRACE_FRAMEWORKS` is an environment that has everything already; nothing is installed there. */
const given = process.env.HEADRACE_FRAMEWORKS
const venv = given ?? join(cacheFolder(), 'frameworks-venv')
const python = join(venv, 'bin', 'python')

/** @param {readonly (readonly string[])[]} lines */
async function runAll(lines) {
  for (const line of lines) {
    const outcome = await run(line, { limit: LIMIT_MS })
    if (!outcome.ok) return outcome
  }
  return { ok: true, output: '' }
}

async function create() {
  await rm(venv, { recursive: true, force: true })
  await mkdir(venv, { recursive: true })
  const line = ['python3', '-m', 'venv', venv]
  if ((await run(line)).ok || (installAsRoot(PACKAGES.venv) && (await run(line)).ok)) return { ok: true, output: '' }
  return { ok: false, output: missing(PACKAGES.venv) }
}

/** PyTorch's wheels for Linux bring 3 GB of CUDA along, which tests without a GPU do without. */
async function installTorch(uv) {
  if (process.platform !== 'linux') return runAll([[...uv, ...TORCH]])
  const installed = await runAll([[...uv, '--no-deps', ...TORCH]])
  if (!installed.ok) return installed
  const [lib = ''] = (await readdir(join(venv, 'lib'))).filter((name) => name.startsWith('python'))
  return runAll([[python, stubs, join(venv, 'lib', lib, 'site-packages', 'torch', 'lib')]])
}

async function install() {
  const wanted = `${TORCH.join(' ')}\n${await readFile(requirements, 'utf8')}`
  const stamp = join(venv, '.headrace')
  if ((await readFile(stamp, 'utf8').catch(() => undefined)) === wanted) return { ok: true, output: '' }
  const created = await create()
  if (!created.ok) return created
  const pip = [python, '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check']
  const uv = [python, '-m', 'uv', 'pip', 'install', '--quiet', '--python', python]
  const others = await runAll([
    [...pip, 'uv'],
    [...uv, '-r', requirements],
  ])
  if (!others.ok) return others
  const torch = await installTorch(uv)
  if (torch.ok) await writeFile(stamp, wanted)
  return torch
}

const VERSIONS = `
import importlib.metadata as m
names = ('numpy', 'h5py', 'pyarrow', 'torch', 'tensorflow', 'tensorflow-cpu', 'jax')
found = {d.metadata['Name']: d.version for d in m.distributions()}
print(', '.join(f'{n} {found[n]}' for n in names if n in found))
`

export const frameworks = [
  {
    name: 'frameworks',
    run: async () => {
      const outcome =
        given === undefined ? await install() : { ok: existsSync(python), output: `there is no ${python}` }
      const versions = await run([python, '-c', VERSIONS])
      return { ...single(outcome), ...(versions.ok && { note: versions.output.trim() }) }
    },
  },
  { name: 'python package', run: () => testPackage(python, { complete: true }) },
]
