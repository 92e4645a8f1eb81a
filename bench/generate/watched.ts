import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** What a program took from its start to its end. */
export interface Watched {
  readonly seconds: number
  /** User and system time. */
  readonly cpuSeconds: number
  readonly peakRssBytes: number
  /** The end of what it printed. */
  readonly output: string
}

/** ms between two looks; what happens after the last is not seen. */
const INTERVAL = 10

/** Of the kernel's clock, of which /proc counts: ticks a second on every Linux. */
const TICKS = 100

function look(pid: number): { cpuSeconds: number; peakRssBytes: number } | undefined {
  try {
    // The name in the second field may have spaces, and ends with the last parenthesis.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ')
    const peak = /VmHWM:\s*(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return {
      cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS,
      peakRssBytes: Number(peak ?? 0) * 1024,
    }
  } catch {
    return undefined
  }
}

/** Runs a program to its end; throws with the end of its output where it fails. Linux only: it looks into /proc. */
export function watch(file: string, args: readonly string[], cwd: string): Promise<Watched> {
  return new Promise((resolve, reject) => {
    const started = performance.now()
    const child = spawn(file, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    const keep = (text: Buffer) => {
      output = (output + text.toString('utf8')).slice(-2000)
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    let last = { cpuSeconds: 0, peakRssBytes: 0 }
    const timer = setInterval(() => {
      const seen = look(child.pid ?? 0)
      // A process that has ended has no memory any more, but still its times.
      if (seen !== undefined) last = { ...seen, peakRssBytes: Math.max(last.peakRssBytes, seen.peakRssBytes) }
    }, INTERVAL)
    child.on('error', reject)
    child.on('exit', (code) => {
      clearInterval(timer)
      if (code === 0) resolve({ seconds: (performance.now() - started) / 1000, ...last, output })
      else reject(new Error(`${file} ended with ${code}:\n${output}`))
    })
  })
}
