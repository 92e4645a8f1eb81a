import { spawn } from 'node:child_process'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/** A runner that hangs is ended and counts as failed. */
const LIMIT_MS = 8 * 60_000

/** What children see: our tools first, no colours, no job server of an outer make. */
function environment() {
  const { MAKEFLAGS, MFLAGS, MAKELEVEL, FORCE_COLOR, ...inherited } = process.env
  const tools = join(root, 'node_modules', '.bin')
  return {
    ...inherited,
    PATH: `${tools}${delimiter}${process.env.PATH ?? ''}`,
    NO_COLOR: '1',
    ONNXRUNTIME_NODE_INSTALL: 'skip',
  }
}

/**
 * Runs a command in a process group of its own, so that ending it ends all that it started.
 * @param {readonly string[]} line the command and its arguments
 * @returns {Promise<{ ok: boolean, output: string }>} stdout and stderr as they came
 */
export function run(line, { cwd = root, limit = LIMIT_MS } = {}) {
  const [command = '', ...args] = line
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, env: environment(), stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    let output = ''
    const collect = (chunk) => {
      output += chunk
    }
    child.stdout.setEncoding('utf8').on('data', collect)
    child.stderr.setEncoding('utf8').on('data', collect)
    const end = () => {
      try {
        process.kill(-child.pid, 'SIGKILL')
      } catch {}
    }
    const interrupted = () => {
      end()
      process.exit(130)
    }
    const timer = setTimeout(() => {
      output += `\nended after ${limit / 1000} s without a result\n`
      end()
    }, limit)
    process.once('SIGINT', interrupted).once('SIGTERM', interrupted)
    const finish = (ok) => {
      clearTimeout(timer)
      process.off('SIGINT', interrupted).off('SIGTERM', interrupted)
      resolve({ ok, output })
    }
    child.once('error', (error) => {
      output += `${line.join(' ')}: ${error.message}\n`
      finish(false)
    })
    child.once('close', (code) => finish(code === 0))
  })
}
