import { type ExecFileException, execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** What package.json calls `headrace`. */
const MAIN = join(ROOT, 'dist/cli/headrace.cjs')
export const DIST = new URL('../../dist/index.js', import.meta.url).href

/** A build that takes longer was killed; the next one takes over. */
const STALE_LOCK_MS = 120_000

async function newest(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true })
  const times = await Promise.all(
    names.filter((name) => /\.c?ts$/.test(name)).map(async (name) => (await stat(join(folder, name))).mtimeMs),
  )
  return Math.max(...times)
}

/** Compiles src/ into dist/ where it is not newer than the sources. Test files that run at once wait for one build. */
export async function built(): Promise<void> {
  const lock = join(tmpdir(), `headrace-build-${Buffer.from(ROOT).toString('hex').slice(-40)}`)
  while (
    !(await mkdir(lock).then(
      () => true,
      () => false,
    ))
  ) {
    const age = await stat(lock).then(
      ({ mtimeMs }) => Date.now() - mtimeMs,
      () => 0,
    )
    if (age > STALE_LOCK_MS) await rm(lock, { recursive: true, force: true })
    await sleep(50)
  }
  try {
    const made = existsSync(MAIN) ? (await stat(MAIN)).mtimeMs : 0
    if (made > (await newest(join(ROOT, 'src')))) return
    const { code, stdout } = await run(process.execPath, [
      join(ROOT, 'node_modules/typescript/bin/tsc'),
      '-p',
      'tsconfig.build.json',
      '--noCheck',
    ])
    if (code !== 0) throw new Error(`dist does not build:\n${stdout}`)
  } finally {
    await rm(lock, { recursive: true, force: true })
  }
}

export interface Result {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

function run(file: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Result> {
  return new Promise((resolve) => {
    const options = { cwd: ROOT, env: { ...process.env, NO_COLOR: '1', ...env }, maxBuffer: 2 ** 26 }
    execFile(file, args, options, (error: ExecFileException | null, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
      resolve({ code, stdout, stderr: error?.signal ? `${stderr}\nended by ${error.signal}` : stderr })
    })
  })
}

/** `headrace ...args`, to its end. */
export const headrace = (...args: readonly string[]): Promise<Result> => run(process.execPath, [MAIN, ...args])

/** The same, still running. */
export const spawnHeadrace = (...args: readonly string[]) =>
  spawn(process.execPath, [MAIN, ...args], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] })

/** A module's text in a process of its own; DIST is what it imports headrace from. */
export const child = (
  source: string,
  flags: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<Result> => run(process.execPath, [...flags, '--input-type=module', '-e', source], env)

export const shell = (line: string): Promise<Result> =>
  run('bash', ['-o', 'pipefail', '-c', line.replaceAll('HEADRACE', `${process.execPath} ${MAIN}`)])
