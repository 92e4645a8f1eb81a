import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FileStore } from '../../../src/storage/file/file.ts'
import { MemoryStore } from '../../../src/storage/memory.ts'
import type { OpRecord, OpSink } from '../../../src/storage/oplog/types.ts'
import type { Store, Trace } from '../../../src/storage/types.ts'
import { layer } from '../../../src/storage/wrappers/layer.ts'
import { measured } from '../../../src/storage/wrappers/measured.ts'
import { bytesOf, failing, listed, storeConformance } from '../conformance.ts'
import { withFaults } from './faults.ts'

class Rows implements OpSink {
  readonly rows: OpRecord[] = []
  record(record: OpRecord): void {
    this.rows.push(record)
  }
  async close(): Promise<void> {}
  /** Without times, which no test can know. */
  take() {
    return this.rows.splice(0).map(({ start: _, end: __, ...rest }) => rest)
  }
}

let folder: string
let made = 0
beforeAll(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'headrace-measured-'))
})
afterAll(() => fs.rmSync(folder, { recursive: true }))

storeConformance(
  'measured(mem)',
  async () => measured(new MemoryStore('measured'), new Rows()),
  async () => {},
)
storeConformance(
  'measured(file)',
  async () => measured(new FileStore(join(folder, `${made++}`), { sync: 'never' }), new Rows()),
  async () => {},
)

/** Says what only a store can see, as those behind HTTP do. */
function traced(inner: Store, firstByteAfter: number): Store {
  return layer(inner, inner.spec, {
    get: async (key, call) => {
      await new Promise((resolve) => setTimeout(resolve, firstByteAfter))
      if (call?.trace) Object.assign(call.trace, { firstByte: performance.now(), endpoint: 'http://h:1', retries: 2 })
      return inner.get(key, call)
    },
  })
}

describe('every operation is a record', () => {
  test('with its name, its objects, its bytes and its URL', async () => {
    const sink = new Rows()
    const store = measured(new MemoryStore('m'), sink, { worker: 3, client: 'c1' })
    const row = (op: string, key: string, objects: number, bytes: number, more = {}) => ({
      worker: 3,
      client: 'c1',
      op,
      objects,
      bytes,
      endpoint: '',
      url: `mem://m${key}`,
      ...more,
    })
    await store.put('a/b', bytesOf('0123456789'))
    await store.get('a/b')
    await store.get('a/b', { range: { offset: 4, length: 3 } })
    await store.get('a/b', { range: { offset: 4 } })
    await store.head('a/b')
    await store.get('none')
    await store.copy?.('a/b', 'a/c')
    expect(await listed(store, 'a/')).toEqual(['a/b', 'a/c'])
    expect(sink.take()).toEqual([
      row('PUT', '/a/b', 1, 10),
      row('GET', '/a/b', 1, 10),
      row('GET_RANGE', '/a/b', 1, 3, { offset: 4 }),
      row('GET_RANGE', '/a/b', 1, 6, { offset: 4 }),
      row('HEAD', '/a/b', 1, 0),
      row('GET', '/none', 1, 0),
      row('COPY', '/a/c', 1, 0),
      row('LIST', '/a/', 2, 0),
    ])
    const writer = store.writer('w')
    await writer.write(bytesOf('01234'))
    await writer.write(bytesOf('567'))
    expect(sink.take()).toEqual([])
    await writer.close()
    const dropped = store.writer('x')
    await dropped.write(bytesOf('01234'))
    await dropped.abort()
    await dropped.abort()
    await store.writer('never').abort()
    for await (const _ of store.delete(['w']));
    for await (const _ of store.delete(['a/b', 'a/c', 'none']));
    for await (const _ of store.delete([]));
    expect(sink.take()).toEqual([
      row('PUT', '/w', 1, 8),
      row('PUT', '/x', 1, 0, { error: 'aborted' }),
      row('DELETE', '/w', 1, 0),
      row('DELETE_BATCH', '/a/b', 3, 0),
      row('DELETE_BATCH', '', 0, 0),
    ])
  })

  test('failed ones too, with code and message in one line', async () => {
    const sink = new Rows()
    const inner = withFaults(new MemoryStore('m'), [
      { op: 'get', code: 'E_NETWORK' },
      { op: 'list', code: 'E_SERVER' },
      { op: 'delete', when: 'result', code: 'E_ACCESS', times: 1 },
      { op: 'close', code: 'E_TIMEOUT' },
    ])
    const store = measured(inner, sink)
    await store.put('k', bytesOf('x'))
    await expect(store.get('k')).rejects.toEqual(failing('E_NETWORK'))
    await expect(listed(store)).rejects.toEqual(failing('E_SERVER'))
    for await (const _ of store.delete(['k', 'l']));
    const writer = store.writer('w')
    await writer.write(bytesOf('123'))
    await expect(writer.close()).rejects.toEqual(failing('E_TIMEOUT'))
    await writer.abort()
    await expect(store.get('../x')).rejects.toEqual(failing('E_NETWORK'))
    expect(sink.rows.map(({ op, bytes, error }) => [op, bytes, error])).toEqual([
      ['PUT', 1, undefined],
      ['GET', 0, 'E_NETWORK: get failed on purpose'],
      ['LIST', 0, 'E_SERVER: list failed on purpose'],
      ['DELETE_BATCH', 0, 'E_ACCESS: delete failed on purpose'],
      ['PUT', 0, 'E_TIMEOUT: close failed on purpose'],
      ['GET', 0, 'E_NETWORK: get failed on purpose'],
    ])
  })

  test('its first byte is the one that the store saw', async () => {
    const sink = new Rows()
    const inner = new MemoryStore('m')
    await inner.put('k', new Uint8Array(10))
    const store = measured(traced(inner, 20), sink)
    const trace: Trace = { firstByte: 1, endpoint: 'old' }
    const before = Date.now()
    await store.get('k', { trace })
    await store.head('k', { trace })
    const [get, head] = sink.rows
    expect(get?.endpoint).toBe('http://h:1')
    expect(get?.start).toBeGreaterThanOrEqual(before - 5)
    expect((get?.firstByte ?? 0) - (get?.start ?? 0)).toBeGreaterThan(18)
    expect(get?.firstByte).toBeLessThanOrEqual(get?.end ?? 0)
    expect(get?.end).toBeLessThanOrEqual(Date.now() + 5)
    // What the caller's trace had from the call before is not this call's.
    expect(head).not.toHaveProperty('firstByte')
    expect(head?.endpoint).toBe('')
    expect(trace).toMatchObject({ endpoint: 'http://h:1', retries: 2 })
  })

  test('a listing’s time is what was waited for, also where it is left early', async () => {
    const sink = new Rows()
    const store = measured(new MemoryStore('m'), sink)
    for (const key of ['a', 'b', 'c']) await store.put(key, bytesOf('x'))
    sink.take()
    for await (const _ of store.list('')) {
      await new Promise((resolve) => setTimeout(resolve, 30))
      if (_.kind === 'object' && _.key === 'b') break
    }
    const [row] = sink.rows
    expect(row).toMatchObject({ op: 'LIST', objects: 2 })
    expect((row?.end ?? 0) - (row?.start ?? 0)).toBeLessThan(20)
  })
})

describe('a sink', () => {
  test('that is behind is waited for before the next operation', async () => {
    const rows = new Rows()
    let caughtUp = () => {}
    const sink: OpSink = {
      record(record) {
        rows.record(record)
        return new Promise((resolve) => {
          caughtUp = resolve
        })
      },
      close: async () => {},
    }
    const inner = withFaults(new MemoryStore('m'), [])
    const store = measured(inner, sink)
    await store.head('a')
    const next = store.head('b')
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(inner.calls.head).toBe(1)
    caughtUp()
    await next
    expect(inner.calls.head).toBe(2)
    expect(rows.rows).toHaveLength(2)
  })

  test('that fails ends the operations after, not the one that is over', async () => {
    for (const record of [
      () => {
        throw new Error('disk full')
      },
      () => Promise.reject(new Error('disk full')),
    ]) {
      const store = measured(new MemoryStore('m'), { record, close: async () => {} })
      expect(await store.head('a')).toBeUndefined()
      await expect(store.put('a', bytesOf('x'))).rejects.toThrow('disk full')
      await expect(store.head('a')).rejects.toThrow('disk full')
    }
  })

  test('is the caller’s to close, and no spec has it', async () => {
    let closed = 0
    const sink: OpSink = {
      record: () => {},
      close: async () => {
        closed++
      },
    }
    const store = measured(new FileStore(folder), sink)
    expect(store.spec).toEqual(new FileStore(folder).spec)
    expect(store).not.toHaveProperty('localPath')
    await store.close()
    expect(closed).toBe(0)
    expect(() => measured(store, sink, { worker: -1 })).toThrow(failing('E_USAGE', 'worker') as Error)
    expect(() => measured(store, sink, { client: '' })).toThrow(failing('E_USAGE', 'client') as Error)
    expect(() => measured(store, sink, { id: 1 } as never)).toThrow(failing('E_USAGE', '"id"') as Error)
  })
})
