import { execFile, execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** The Pythons that may have what is asked for; `make test-interop` makes the last but one. */
const PYTHONS = [
  process.env.HEADRACE_PYTHON ?? '',
  `${ROOT}.venv/bin/python`,
  `${ROOT}build/interop-venv/bin/python`,
  'python3',
]

function has(python: string, modules: readonly string[]): boolean {
  if (python === '' || (python.includes('/') && !existsSync(python))) return false
  // Looked for, not imported: TensorFlow alone takes seconds.
  const code = `import importlib.util as u; assert all(u.find_spec(m) for m in ${JSON.stringify(modules)})`
  try {
    execFileSync(python, ['-c', code], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** A Python with all of these modules, where there is one. */
export function pythonWith(...modules: readonly string[]): string | undefined {
  return PYTHONS.find((python) => has(python, modules))
}

/** What the name of a skipped test says. */
export const absent = (...modules: readonly string[]) =>
  `(no Python here has ${modules.join(' and ')}: make test-interop)`

/** A script of this folder, to its end: the JSON document that it prints. */
export function runJson(python: string, script: string, ...args: readonly string[]): Promise<unknown> {
  const file = fileURLToPath(new URL(script, import.meta.url))
  const env = { ...process.env, TF_CPP_MIN_LOG_LEVEL: '3', CUDA_VISIBLE_DEVICES: '' }
  return new Promise((resolve, reject) => {
    execFile(python, [file, ...args], { env, maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      if (error === null) resolve(JSON.parse(stdout))
      else reject(new Error(`${script} ${args.join(' ')}: ${stderr.trim().split('\n').slice(-5).join('\n')}`))
    })
  })
}
