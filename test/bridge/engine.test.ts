import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Engine } from '../../src/bridge/engine.ts'
import { loadOperation } from '../../src/bridge/load.ts'
import { OpenDatasets } from '../../src/bridge/open-datasets.ts'
import { own } from '../loader/own-dataset.ts'
import { EngineClient } from './engine-client.ts'

let engine: Engine
let address: string

beforeAll(async () => {
  const datasets = new OpenDatasets(async () => own({ n: { kind: 'number' } }, 4, async (id) => ({ n: id })))
  engine = await Engine.start({ version: '9.8.7', operations: { load: loadOperation(datasets) } })
  address = engine.facts.address
})

afterAll(() => engine.close())

async function refused(hello: object): Promise<unknown> {
  const { client, answer } = await EngineClient.hello(address, hello)
  await client.ended()
  return answer
}

describe('a hello', () => {
  it('is answered with what the consumer needs', async () => {
    const { client, answer } = await EngineClient.hello(address, {
      op: 'load',
      dataset: { kind: 'n' },
      options: { batchSize: 3, ringBytes: 2 ** 21 },
    })
    expect(answer).toMatchObject({
      ok: true,
      protocol: 1,
      version: '9.8.7',
      pid: process.pid,
      slots: 4,
      slab: 2 ** 22,
      steps: 2,
      samples: 4,
      fingerprint: 'own',
      schema: { n: { kind: 'number' } },
      state: { version: 1, epoch: 0, position: 0 },
    })
    client.close()
  })

  it('of another protocol is refused, naming both versions', async () => {
    expect(await refused({ protocol: 0, version: '0.0.1', op: 'load' })).toEqual({
      ok: false,
      protocol: 1,
      version: '9.8.7',
      code: 'E_UNSUPPORTED',
      message: 'the client (headrace 0.0.1) speaks protocol 0 of the bridge, this engine (headrace 9.8.7) 1',
      hint: 'install the same version of both',
    })
  })

  it('without the token is refused', async () => {
    expect(await refused({ token: 'x'.repeat(64), op: 'load' })).toMatchObject({ ok: false, code: 'E_ACCESS' })
    expect(await refused({ token: undefined, op: 'load' })).toMatchObject({ ok: false, code: 'E_ACCESS' })
  })

  it.each([
    [{ op: 'sing' }, 'E_UNSUPPORTED', 'op must be one of load, but got "sing"'],
    [{ op: 'load' }, 'E_USAGE', 'dataset must be an object such as {"kind":"objects"}, but got undefined'],
    [{ op: 'load', dataset: {}, slots: 0 }, 'E_USAGE', 'slots must be an integer from 1 to 1024, but got 0'],
    [{ op: 'load', dataset: {}, options: { batchsize: 1 } }, 'E_USAGE', 'load has no option "batchsize"'],
    [{ op: 'load', dataset: {}, options: { rank: 2, worldSize: 2 } }, 'E_USAGE', 'rank must be less than worldSize'],
    [{ op: 'load', dataset: {}, options: { signal: {} } }, 'E_USAGE', 'signal is no option of a connection'],
  ])('that asks for what there is not is refused: %j', async (hello, code, message) => {
    const answer = (await refused(hello)) as { code: string; message: string }
    expect(answer.code).toBe(code)
    expect(answer.message).toContain(message)
  })

  it('may come in pieces', async () => {
    const client = await EngineClient.open(address)
    const token = address.split('#')[1]
    const line = `${JSON.stringify({ protocol: 1, token, op: 'load', dataset: {}, options: { ringBytes: 2 ** 21 } })}\n`
    for (const piece of [line.slice(0, 1), line.slice(1, 40), line.slice(40, -1), line.slice(-1)]) {
      client.socket.write(piece)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    expect(await client.line()).toMatchObject({ ok: true })
    client.close()
  })

  it('that is not JSON, or breaks off, harms nobody', async () => {
    const client = await EngineClient.open(address)
    client.socket.write('GET / HTTP/1.1\r\n')
    expect(await client.line()).toMatchObject({ ok: false, code: 'E_USAGE', message: 'the hello is not JSON' })
    await client.ended()
    const other = await EngineClient.open(address)
    other.socket.write('{"protocol":')
    other.close()
    const { client: last, answer } = await EngineClient.hello(address, { op: 'load', dataset: {}, options: {} })
    expect(answer.ok).toBe(true)
    last.close()
  })
})

describe('an engine', () => {
  it('has a name in the abstract namespace, which is gone with it', async () => {
    if (process.platform !== 'linux') return
    const other = await Engine.start({ version: '1', operations: {} })
    const { address: name } = other.facts
    expect(name).toMatch(/^@headrace-\d+-[0-9a-f]{16}#[0-9a-f]{64}$/)
    const { client } = await EngineClient.hello(name, { op: 'x' })
    client.close()
    await other.close()
    await expect(EngineClient.open(name)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  it('ends its connections when it is closed', async () => {
    const datasets = new OpenDatasets(async () => own({ n: { kind: 'number' } }, 4, async (id) => ({ n: id })))
    const other = await Engine.start({ version: '1', operations: { load: loadOperation(datasets) } })
    const { client } = await EngineClient.hello(other.facts.address, { op: 'load', dataset: {}, options: {} })
    await other.close()
    await client.ended()
  })
})
