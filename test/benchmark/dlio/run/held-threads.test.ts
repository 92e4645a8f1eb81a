import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { built, child, DIST } from '../../../cli/built.ts'

let folder: string
beforeAll(built)
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headrace-held-'))
  execFileSync('mkfifo', [join(folder, 'pipe')])
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** A process with a thread that waits for the other end of a pipe, in a call that nothing interrupts. */
const held = (rest: string) =>
  child(`
    import { Worker } from 'node:worker_threads'
    import { setTimeout as sleep } from 'node:timers/promises'
    import { despiteHeldThreads } from ${JSON.stringify(DIST.replace(/index\.js$/, 'benchmark/dlio/run/held-threads.js'))}
    new Worker('require("node:fs").openSync(${JSON.stringify(join(folder, 'pipe'))}, "r")', { eval: true, execArgv: [] })
    await sleep(300)
    ${rest}
  `)

describe('a thread that a system call holds', () => {
  test('does not keep the process when its work is over', async () => {
    const { code, stdout } = await held(
      "await despiteHeldThreads(async () => console.log('done')).finally(() => { process.exitCode = 7 })",
    )
    expect([code, stdout]).toEqual([7, 'done\n'])
  })

  test('does not keep it when it is to end in the middle', async () => {
    const { code } = await held('await despiteHeldThreads(async () => process.exit(9))')
    expect(code).toBe(9)
  })
})

test('a process that ends by itself is left alone', async () => {
  const { code } = await child(`
    import { despiteHeldThreads } from ${JSON.stringify(DIST.replace(/index\.js$/, 'benchmark/dlio/run/held-threads.js'))}
    const begin = performance.now()
    await despiteHeldThreads(async () => {})
    process.on('exit', () => { process.exitCode = performance.now() - begin < 1000 ? 3 : 4 })
  `)
  expect(code).toBe(3)
})
