import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** `headrace dev s3` with rules of faults, in a process of its own. */
export interface FaultyServer {
  readonly url: string
  readonly pid: number
  stop(): Promise<void>
}

export const KEYS = { accessKeyId: 'soak', secretAccessKey: 'soak-secret' } as const

/** The compiled soak lies in build/test/soak. */
const MAIN = fileURLToPath(new URL('../../../dist/cli/headrace.cjs', import.meta.url))

export async function startFaultyServer(rules: readonly object[]): Promise<FaultyServer> {
  const dir = await mkdtemp(join(tmpdir(), 'headrace-soak-'))
  const faults = join(dir, 'faults.json')
  await writeFile(faults, JSON.stringify(rules))
  const flags = ['--port', '0', '--json', '--dir', join(dir, 'objects'), '--faults', faults]
  const child = spawn(process.execPath, [MAIN, 'dev', 's3', ...flags], {
    env: { ...process.env, AWS_ACCESS_KEY_ID: KEYS.accessKeyId, AWS_SECRET_ACCESS_KEY: KEYS.secretAccessKey },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exit = once(child, 'exit')
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  const stop = async () => {
    process.off('exit', kill)
    child.kill('SIGTERM')
    await exit
    await rm(dir, { recursive: true, force: true })
  }
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  while (!said.includes('\n')) {
    await Promise.race([once(child.stdout, 'data'), exit])
    if (child.exitCode !== null || child.pid === undefined) {
      await stop()
      throw new Error(`the server does not start: ${MAIN}`)
    }
  }
  const { url } = JSON.parse(said) as { url: string }
  return { url, pid: child.pid ?? 0, stop }
}
