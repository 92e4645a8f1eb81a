import type { ChildProcessByStdio } from 'node:child_process'
import { execFileSync } from 'node:child_process'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { spawnHeadrace } from './built.ts'

/** A command that is not at its end yet, and what it has said so far. */
export class Running {
  readonly child: ChildProcessByStdio<null, Readable, Readable>
  /** Its exit code; null where a signal ended it. */
  readonly ended: Promise<number | null>
  stdout = ''
  stderr = ''

  constructor(...args: readonly string[]) {
    this.child = spawnHeadrace(...args)
    this.child.stdout.on('data', (chunk: Buffer) => {
      this.stdout += chunk.toString()
    })
    this.child.stderr.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString()
    })
    this.ended = new Promise((resolve) => this.child.once('close', resolve))
  }

  /** Once it has said that, on either stream. Throws what it said instead where it ends before. */
  async says(words: RegExp): Promise<void> {
    const found = () => words.test(this.stdout) || words.test(this.stderr)
    let over = false
    this.ended.then(() => {
      over = true
    })
    while (!found()) {
      if (over) throw new Error(`it ended without saying ${words}:\n${this.stdout}\n${this.stderr}`)
      await sleep(2)
    }
  }

  /** Processes of its ranks, in their order. */
  ranks(): number[] {
    return processes()
      .filter(({ parent }) => parent === this.child.pid)
      .map(({ pid }) => pid)
      .sort((a, b) => a - b)
  }
}

function processes(): { readonly pid: number; readonly parent: number; readonly line: string }[] {
  return execFileSync('ps', ['-eo', 'pid,ppid,args'], { encoding: 'utf8' })
    .split('\n')
    .slice(1)
    .map((each) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(each))
    .flatMap((match) =>
      match === null ? [] : [{ pid: Number(match[1]), parent: Number(match[2]), line: match[3] ?? '' }],
    )
}

/** Command lines that name a folder; once there are none, or after some seconds those that stay. */
export async function leftRunning(folder: string, seconds = 5): Promise<string[]> {
  for (const end = performance.now() + 1000 * seconds; ; await sleep(20)) {
    const left = processes().filter(({ line }) => line.includes(folder) && !line.startsWith('ps '))
    if (left.length === 0 || performance.now() > end) return left.map(({ line }) => line)
  }
}
