import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RankOutput, startRanks } from '../../src/distributed/index.ts'
import { failing } from '../storage/conformance.ts'
import { compiled } from './compiled.ts'
import { cleanEnvironment } from './launch.ts'

let child: string
let parent: string
let remove: () => Promise<void>
const { TMPDIR } = process.env
beforeAll(async () => {
  const { file, ...folder } = await compiled()
  child = file('child.js')
  parent = file('parent-child.js')
  remove = folder.remove
  process.env.TMPDIR = await mkdtemp(join(tmpdir(), 'hr-'))
})
afterAll(async () => {
  await rm(tmpdir(), { recursive: true })
  if (TMPDIR === undefined) delete process.env.TMPDIR
  else process.env.TMPDIR = TMPDIR
  await remove()
})

/** A job whose lines are kept. */
function started(ranks: number, scenario: string, args: readonly string[] = [], signal?: AbortSignal) {
  const lines: RankOutput[] = []
  const job = startRanks({
    ranks,
    argv: [process.execPath, child, scenario, ...args],
    env: { TEST_GIVEN: 'given' },
    onOutput: (output) => void lines.push(output),
    ...(signal && { signal }),
  })
  job.catch(() => {})
  const said = (text: string) => lines.filter(({ line }) => line.startsWith(text))
  return { job, lines, said }
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(10)
}

async function isAlive(pid: number): Promise<boolean> {
  try {
    // A zombie is dead, whoever may not have taken note of it yet.
    return !/^State:\s+Z/m.test(await readFile(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

/** Of lines "pids 12 13". */
const pidsIn = (lines: readonly string[]) => lines.flatMap((line) => line.split(' ').slice(1).map(Number))

/** Of the ranks, in the tests' own folder for temporary files. */
const folders = () => readdir(tmpdir())

test('lines come as they were written, with rank and stream, and the environment is passed on', async () => {
  const { job, lines } = started(2, 'prints')
  await job
  for (const rank of [0, 1]) {
    expect(lines.filter((line) => line.rank === rank && line.stream === 'stdout').map(({ line }) => line)).toEqual([
      `to stdout ${rank}`,
      'ünended',
      'result "given"',
    ])
    expect(lines.filter((line) => line.rank === rank && line.stream === 'stderr').map(({ line }) => line)).toEqual([
      `to stderr ${rank}`,
    ])
  }
})

test('without onOutput they go to stdout and stderr', async () => {
  const parentProcess = spawn(process.execPath, [parent, '2', child, 'prints'], { env: cleanEnvironment() })
  let out = ''
  let err = ''
  parentProcess.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
  parentProcess.stderr.setEncoding('utf8').on('data', (text: string) => (err += text))
  await new Promise((resolve) => parentProcess.once('close', resolve))
  expect(out.trim().split('\n').sort()).toEqual(
    ['result undefined', 'result undefined', 'to stdout 0', 'to stdout 1', 'ünended', 'ünended'].sort(),
  )
  expect(err.trim().split('\n').sort()).toEqual(['to stderr 0', 'to stderr 1'])
})

test('a rank that fails ends all: its name, and what it said', async () => {
  const { job } = started(3, 'fails', ['1'])
  const error = await job.catch((error) => error)
  expect(error).toEqual(failing('E_PEER'))
  expect(error.message).toMatch(/^rank 1 \(process \d+\) ended with exit code 3: headrace: it went wrong$/)
  expect(error.details.ranks).toEqual([1])
  expect(await folders()).toEqual([])
}, 30_000)

test.each([
  ['a rank', 1],
  ['rank 0', 0],
] as const)(
  'kill -9 of %s leaves no process behind, nor what it started',
  async (_name, rank) => {
    const { job, said } = started(3, 'waits')
    await until(() => said('pids ').length === 3)
    const pids = pidsIn(said('pids ').map(({ line }) => line))
    const [victim = 0] = pidsIn(said('pids ').flatMap(({ rank: of, line }) => (of === rank ? [line] : [])))
    process.kill(victim, 'SIGKILL')
    await expect(job).rejects.toEqual(failing('E_PEER', `rank ${rank} (process ${victim}) was killed by SIGKILL`))
    // What was killed is gone once it gets the processor again.
    await until(async () => !(await Promise.all(pids.map(isAlive))).includes(true))
    expect(await folders()).toEqual([])
  },
  30_000,
)

test('kill -9 of the parent leaves no process behind, nor what its ranks started', async () => {
  const parentProcess = spawn(process.execPath, [parent, '3', child, 'waits'], {
    env: cleanEnvironment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let out = ''
  parentProcess.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
  const told = () => out.split('\n').filter((line) => line.startsWith('pids '))
  await until(() => told().length === 3)
  const pids = pidsIn(told())
  expect(await Promise.all(pids.map(isAlive))).toEqual(pids.map(() => true))
  parentProcess.kill('SIGKILL')
  await until(async () => !(await Promise.all(pids.map(isAlive))).includes(true))
  expect(await folders()).toEqual([])
}, 30_000)

describe('a signal', () => {
  test('reaches every rank as one SIGINT, and all end in order', async () => {
    const stop = new AbortController()
    const { job, said } = started(2, 'interruptible', [], stop.signal)
    await until(() => said('ready').length === 2)
    stop.abort()
    await expect(job).rejects.toEqual(failing('E_CANCELLED', 'job of 2 ranks'))
    expect(said('result ').map(({ line }) => line)).toEqual([
      'result "interrupted 1 times"',
      'result "interrupted 1 times"',
    ])
  }, 30_000)

  test('that has fired already starts nothing', async () => {
    const { job, lines } = started(2, 'prints', [], AbortSignal.abort())
    await expect(job).rejects.toEqual(failing('E_CANCELLED'))
    expect(lines).toEqual([])
  })

  test('and ranks that do not care: they are killed in the end', async () => {
    const stop = new AbortController()
    const { job, said } = started(2, 'stubborn', [], stop.signal)
    await until(() => said('ready').length === 2)
    stop.abort()
    await expect(job).rejects.toEqual(failing('E_CANCELLED'))
  }, 60_000)
})

test('a program that is not there is E_PEER by name', async () => {
  const job = startRanks({ ranks: 2, argv: ['/nowhere/program'] })
  await expect(job).rejects.toEqual(failing('E_PEER', 'rank 0', 'could not be started', 'ENOENT'))
})

test.each([
  [{ ranks: 0 }, 'ranks must be'],
  [{ ranks: 5000 }, 'ranks must be'],
  [{ argv: [] }, 'argv must begin with a program'],
  [{ count: 1 }, 'no option "count"'],
])('%j is E_USAGE', async (options, message) => {
  await expect(startRanks({ ranks: 1, argv: ['true'], ...options } as never)).rejects.toEqual(
    failing('E_USAGE', message),
  )
})
