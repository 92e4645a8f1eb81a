import { createHash, createHmac } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Communicator, joinRanks } from '../../src/distributed/index.ts'
import type { JoinOptions } from '../../src/distributed/join.ts'
import { failing } from '../storage/conformance.ts'
import { freePort } from './launch.ts'

/** Ranks of one process, and strangers among them. */

const opened: (Communicator | Server | Socket)[] = []
let port: number
beforeEach(async () => {
  port = await freePort()
})
afterEach(async () => {
  for (const it of opened) {
    if ('abort' in it) it.abort('the test is over')
    if ('abort' in it || 'listen' in it) await it.close()
    else it.destroy()
  }
  opened.length = 0
})

type Environment = Readonly<Record<string, string>>

/** A rank's attempt to join. */
function joining(rank: number, size: number, env: Environment = {}, options: JoinOptions = {}): Promise<Communicator> {
  const coordinator = `127.0.0.1:${port}`
  const own = { PMI_RANK: String(rank), PMI_SIZE: String(size), HEADRACE_TOKEN: 'secret', ...env }
  const joined = joinRanks({ coordinator, timeout: 10_000, ...options, env: own })
  joined.then(
    (comm) => opened.push(comm),
    () => {},
  )
  return joined
}

async function stranger(...pieces: (Uint8Array | string)[]) {
  for (let attempt = 0; ; attempt++) {
    const socket = connect(port, '127.0.0.1')
    opened.push(socket)
    let isClosed = false
    const chunks: Buffer[] = []
    socket
      .on('data', (chunk) => chunks.push(chunk))
      .on('close', () => {
        isClosed = true
      })
    try {
      await once(socket, 'connect')
    } catch (error) {
      if (attempt > 100) throw error
      await sleep(20)
      continue
    }
    socket.on('error', () => {})
    for (const piece of pieces) socket.write(piece)
    return {
      received: () => Buffer.concat(chunks),
      isClosed: () => isClosed,
      send: (bytes: Uint8Array) => void socket.write(bytes),
    }
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(5)
}

function frame(kind: number, payload: Uint8Array, length = payload.length): Buffer {
  const header = Buffer.alloc(12)
  header.writeUInt32LE(length, 0)
  header.writeUInt8(kind, 4)
  return Buffer.concat([header, payload])
}

/** Kinds of frames by their number. */
const HELLO = 0
const PROOF = 2
const CALL = 5

function hello(rank: number, size: number): Buffer {
  const numbers = Buffer.alloc(8)
  numbers.writeUInt32LE(rank, 0)
  numbers.writeUInt32LE(size, 4)
  return Buffer.concat([Buffer.from('HRRANK\0\x01', 'latin1'), numbers, Buffer.alloc(32, 7), Buffer.from('nowhere')])
}

describe('strangers on the port do not get in and disturb nobody', () => {
  test.each([
    ['a web browser', ['GET / HTTP/1.1\r\nHost: localhost\r\n\r\n']],
    ['random bytes', [Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 7919) & 255))]],
    ['a huge frame', [frame(HELLO, new Uint8Array(), 0xffffffff)]],
    ['a frame above what strangers may send', [frame(HELLO, new Uint8Array(600))]],
    ['a call before it is known', [frame(CALL, new Uint8Array(8))]],
    ['another version', [frame(HELLO, Buffer.concat([Buffer.from('HRRANK\0\x02'), hello(1, 2).subarray(8)]))]],
    ['no proof', [frame(HELLO, hello(1, 2)), frame(PROOF, new Uint8Array(32))]],
  ])('%s', async (_name, pieces) => {
    const first = joining(0, 2)
    const { isClosed } = await stranger(...pieces)
    await until(isClosed)
    const [hub, member] = await Promise.all([first, joining(1, 2)])
    await Promise.all([hub.barrier(), member.barrier()])
  })

  test('who says nothing is let wait, and sent away when all ranks are there', async () => {
    const first = joining(0, 2)
    const silent = await stranger()
    const begun = await stranger(frame(HELLO, hello(1, 2)).subarray(0, 20))
    await Promise.all([first, joining(1, 2)])
    await until(() => silent.isClosed() && begun.isClosed())
    await expect(once(connect(port, '127.0.0.1'), 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  test('a crowd of them does not keep the ranks out', async () => {
    const first = joining(0, 2)
    const crowd = await Promise.all(Array.from({ length: 80 }, () => stranger()))
    // 2 + 64 may wait at once.
    await until(() => crowd.filter(({ isClosed }) => isClosed()).length >= 80 - 66)
    const second = joining(1, 2)
    await sleep(50)
    for (const it of opened.splice(0)) if ('destroy' in it) it.destroy()
    await Promise.all([first, second])
  })

  test('the token is never sent', async () => {
    const first = joining(0, 2, { HEADRACE_TOKEN: 'the-token-of-this-job' })
    const { received } = await stranger(frame(HELLO, hello(1, 2)))
    await until(() => received().length === 12 + 64)
    expect(received().includes('the-token-of-this-job')).toBe(false)
    await Promise.all([first, joining(1, 2, { HEADRACE_TOKEN: 'the-token-of-this-job' })])
  })
})

describe('ranks that do not belong together', () => {
  test('another token', async () => {
    const first = joining(0, 2, {}, { timeout: 500 })
    await expect(joining(1, 2, { HEADRACE_TOKEN: 'other' })).rejects.toEqual(
      failing('E_ACCESS', `127.0.0.1:${port}`, 'another token'),
    )
    await expect(first).rejects.toEqual(failing('E_TIMEOUT', 'rank 1 of 2 did not come', `127.0.0.1:${port}`, '500 ms'))
  })

  test('another number of ranks', async () => {
    const first = joining(0, 2)
    await expect(joining(1, 3)).rejects.toEqual(failing('E_CONFIG', 'rank 1 believes in 3 ranks, rank 0 in 2'))
    await Promise.all([first, joining(1, 2)])
  })

  test('the same rank twice', async () => {
    const first = joining(0, 3)
    const one = joining(1, 3)
    await sleep(200)
    await expect(joining(1, 3)).rejects.toEqual(failing('E_CONFIG', 'rank 1 is there already'))
    await Promise.all([first, one, joining(2, 3)])
  })

  test('two ranks 0', async () => {
    const first = joining(0, 2)
    await sleep(50)
    await expect(joining(0, 2)).rejects.toEqual(failing('E_NETWORK', `127.0.0.1:${port}`, 'EADDRINUSE'))
    await Promise.all([first, joining(1, 2)])
  })

  test('something else listens there', async () => {
    const server = createServer((socket) => socket.end('SSH-2.0-OpenSSH_9.0 and some more\r\n')).listen(
      port,
      '127.0.0.1',
    )
    opened.push(server)
    await once(server, 'listening')
    await expect(joining(1, 2, {}, { timeout: 500 })).rejects.toEqual(
      failing('E_TIMEOUT', 'rank 0 was not to be found', `127.0.0.1:${port}`, 'no frame'),
    )
  })
})

describe('ranks that do not come', () => {
  test('are named by rank 0, and to those that came', async () => {
    const first = joining(0, 4, {}, { timeout: 600 })
    const second = joining(2, 4, {}, { timeout: 600 })
    const message = `ranks 1 and 3 of 4 did not come to 127.0.0.1:${port} within 600 ms`
    await expect(first).rejects.toEqual(failing('E_TIMEOUT', message))
    await expect(first).rejects.toMatchObject({ details: { ranks: [1, 3] } })
    await expect(second).rejects.toEqual(failing('E_PEER', message))
  })

  test('rank 0 itself', async () => {
    await expect(joining(1, 2, {}, { timeout: 300 })).rejects.toEqual(
      failing('E_TIMEOUT', 'rank 0 was not to be found', 'ECONNREFUSED', '300 ms'),
    )
  })

  test.each([0, 1])('a signal ends the waiting of rank %i', async (rank) => {
    const stop = new AbortController()
    const joined = joining(rank, 3, {}, { signal: stop.signal })
    await sleep(100)
    stop.abort()
    await expect(joined).rejects.toEqual(failing('E_CANCELLED', 'joining'))
  })

  test('rank 0 comes late', async () => {
    const second = joining(1, 2)
    await sleep(300)
    await Promise.all([joining(0, 2), second])
  })
})

/** A rank that knows the token and keeps to no rule after that. */
async function rogue() {
  const token = createHash('sha256').update('token secret').digest()
  const own = hello(1, 2)
  const { send, ...others } = await stranger(frame(HELLO, own))
  await until(() => others.received().length === 12 + 64)
  const hubNonce = others.received().subarray(12, 12 + 32)
  send(frame(PROOF, createHmac('sha256', token).update('member').update(hubNonce).update(own).digest()))
  await until(() => others.received().includes('['))
  return { send, ...others }
}

describe('a rank that keeps to no rule ends the job, by name', () => {
  test.each([
    [
      'a huge frame',
      frame(CALL, new Uint8Array(8), 0x7fffffff),
      'a frame of 2147483647 bytes, above the limit of 67108864',
    ],
    ['what is no frame', Buffer.from('how do you do?'), 'it sent what is no frame'],
    ['a welcome', frame(4, new Uint8Array()), 'rank 1 sent what no rank sends'],
    ['a call out of turn', Buffer.concat([frame(CALL, new Uint8Array()).fill(9, 8, 9)]), 'rank 1 spoke out of turn'],
    ['half a number', Buffer.concat([frame(CALL, new Uint8Array(4)).fill(1, 5, 6)]), 'gave 4 bytes to allReduce'],
  ])('%s', async (_name, bytes, message) => {
    const first = joining(0, 2)
    const { send } = await rogue()
    const hub = await first
    const reduced = hub.allReduce(Float64Array.of(1), 'sum')
    send(bytes)
    await expect(reduced).rejects.toEqual(failing('E_PEER', message))
    await expect(reduced).rejects.toMatchObject({ details: { ranks: [1] } })
  })
})

describe('where the ranks meet', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hr-'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  const folderOf = (job: string) =>
    join(tmpdir(), `headrace-${userInfo().uid}-${createHash('sha256').update(job).digest('hex').slice(0, 16)}`)

  const slurm = (rank: number, more: Environment) => ({
    SLURM_PROCID: String(rank),
    SLURM_NTASKS: '2',
    SLURM_STEP_ID: '0',
    SLURM_JOB_ID: '17',
    ...more,
  })

  test('a Unix socket that is named, which is gone afterwards', async () => {
    const env = (rank: number) => ({ PMI_RANK: String(rank), PMI_SIZE: '2', HEADRACE_COORDINATOR: `unix:${folder}/s` })
    const [hub, member] = await Promise.all([joinRanks({ env: env(0) }), joinRanks({ env: env(1) })])
    opened.push(hub, member)
    expect(await readdir(folder)).toEqual([])
    await Promise.all([hub.barrier(), member.barrier()])
  })

  test('a socket of an earlier job is replaced', async () => {
    const server = createServer().listen(`${folder}/s`)
    await once(server, 'listening')
    // As a killed process leaves it: the file is there, and nobody listens.
    const path = `${folder}/s`
    await rename(path, `${path}2`)
    server.close()
    await once(server, 'close')
    await rename(`${path}2`, path)
    const env = (rank: number) => ({ PMI_RANK: String(rank), PMI_SIZE: '2', HEADRACE_COORDINATOR: `unix:${path}` })
    const second = joinRanks({ env: env(1) })
    await sleep(50)
    opened.push(...(await Promise.all([joinRanks({ env: env(0) }), second])))
  })

  test("Slurm's step on one node: a folder of this user alone, which is gone afterwards", async () => {
    const env = (rank: number) => slurm(rank, { SLURM_STEP_NUM_NODES: '1' })
    const second = joinRanks({ env: env(1) })
    await sleep(50)
    expect((await stat(folderOf('17 0'))).mode & 0o777).toBe(0o700)
    opened.push(...(await Promise.all([joinRanks({ env: env(0) }), second])))
    expect(existsSync(folderOf('17 0'))).toBe(false)
  })

  test("Slurm's step on several nodes: the first of them, at a port that follows from the job", async () => {
    const env = (rank: number) => slurm(rank, { SLURM_STEP_NUM_NODES: '2', SLURM_STEP_NODELIST: 'localhost,node[2-3]' })
    opened.push(...(await Promise.all([0, 1].map((rank) => joinRanks({ env: env(rank) })))))
    const nowhere = slurm(1, { SLURM_STEP_NUM_NODES: '2', SLURM_STEP_NODELIST: 'nowhere-[007-9,12].invalid,x' })
    await expect(joinRanks({ env: nowhere, timeout: 200 })).rejects.toEqual(
      failing('E_TIMEOUT', 'nowhere-007:20527', 'rank 0 was not to be found'),
    )
  })

  test('torchrun, which listens at MASTER_PORT itself: the next port', async () => {
    const agent = createServer().listen(port, '127.0.0.1')
    opened.push(agent)
    await once(agent, 'listening')
    const env = (rank: number) => ({
      RANK: String(rank),
      WORLD_SIZE: '2',
      MASTER_ADDR: '127.0.0.1',
      MASTER_PORT: String(port),
      TORCHELASTIC_USE_AGENT_STORE: 'True',
    })
    opened.push(...(await Promise.all([0, 1].map((rank) => joinRanks({ env: env(rank) })))))
  })

  test('a folder that is not of this user alone is E_ACCESS', async () => {
    const env = { PMI_RANK: '1', PMI_SIZE: '2', MPI_LOCALRANKID: '1', MPI_LOCALNRANKS: '2', PMIX_NAMESPACE: folder }
    const path = folderOf(folder)
    await mkdir(path, { mode: 0o700 })
    await expect(joinRanks({ env, timeout: 50 })).rejects.toEqual(failing('E_TIMEOUT', `unix:${path}/coordinator`))
    await chmod(path, 0o755)
    await expect(joinRanks({ env, timeout: 50 })).rejects.toEqual(failing('E_ACCESS', path, 'this user alone'))
    await rm(path, { recursive: true })
  })

  test('nothing that says it is E_CONFIG, which names what would', async () => {
    const env = { PMI_RANK: '0', PMI_SIZE: '4', MPI_LOCALRANKID: '0', MPI_LOCALNRANKS: '2' }
    const joined = joinRanks({ env })
    await expect(joined).rejects.toEqual(failing('E_CONFIG', 'where the 4 ranks meet'))
    await expect(joined).rejects.toMatchObject({ details: { hint: expect.stringContaining('MASTER_ADDR') } })
  })

  test.each([
    [{ coordinator: 'localhost' }, {}, 'E_USAGE', ['coordinator must be HOST:PORT', '"localhost"']],
    [{ coordinator: 'h:70000' }, {}, 'E_USAGE', ['"h:70000"']],
    [{ coordinator: `unix:/${'x'.repeat(120)}` }, {}, 'E_USAGE', ['at most 103 bytes']],
    [{}, { MASTER_ADDR: 'h', MASTER_PORT: 'x' }, 'E_CONFIG', ['MASTER_ADDR:MASTER_PORT', '"h:x"']],
    [{}, { HEADRACE_COORDINATOR: '' }, 'E_CONFIG', ['HEADRACE_COORDINATOR', 'got ""']],
    [{ coordinator: 'h:1' }, { HEADRACE_TOKEN: '' }, 'E_CONFIG', ['HEADRACE_TOKEN must not be empty']],
    [{ timeout: 0 }, {}, 'E_USAGE', ['timeout', 'got 0']],
    [{ host: 'x' }, {}, 'E_USAGE', ['no option "host"']],
  ] as const)('%j %j', async (options, env, code, words) => {
    const rank = { PMI_RANK: '1', PMI_SIZE: '2' }
    await expect(joinRanks({ ...options, env: { ...rank, ...env } } as never)).rejects.toEqual(failing(code, ...words))
  })

  test('one rank meets nobody', async () => {
    const alone = await joinRanks({ env: {} })
    expect([alone.rank, alone.size, alone.localRank, alone.localSize, alone.hosts.length]).toEqual([0, 1, 0, 1, 1])
    await alone.barrier()
    expect([...(await alone.allReduce(Float64Array.of(2, 3), 'max'))]).toEqual([2, 3])
    await alone.close()
    await expect(alone.barrier()).rejects.toEqual(failing('E_STATE', 'closed'))
    expect(existsSync(join(tmpdir(), 'headrace-ranks'))).toBe(false)
  })
})
