import { afterEach, describe, expect, test } from 'vitest'
import { FAULT_KINDS, type FaultRule, type S3Server, startS3Server } from '../../../src/dev/s3/index.ts'
import { isHeadraceError } from '../../../src/errors.ts'
import { openS3Store, type S3Store } from '../../../src/storage/s3/store.ts'
import { listed } from '../conformance.ts'

type FaultKind = FaultRule['fault']['kind']

const MiB = 2 ** 20
const KEYS = { accessKeyId: 'testkey', secretAccessKey: 'testsecret' }
/** Milliseconds: what stalls is given up soon. */
const TIMEOUTS = { firstByteTimeout: 200, stallTimeout: 200, connectTimeout: 500 }

let server: S3Server | undefined
let stores: S3Store[] = []
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()))
  await server?.close()
})

function pattern(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 10) + seed) & 0xff)
}

/** A fault of each kind as it is met; those that take time take little, or for ever. */
const FAULTS: Partial<Record<FaultKind, readonly FaultRule['fault'][]>> = {
  'slow-first-byte': [{ kind: 'slow-first-byte', ms: 400 }],
  'slow-body': [{ kind: 'slow-body', bytesPerSecond: 2_000_000 }],
  reset: [
    { kind: 'reset', when: 'before-head' },
    { kind: 'reset', when: 'during-upload' },
    { kind: 'reset', when: 'after-processing' },
    { kind: 'reset', when: 'mid-body' },
  ],
  'wrong-content-length': [
    { kind: 'wrong-content-length', by: 7 },
    { kind: 'wrong-content-length', by: -7 },
  ],
  redirect: [{ kind: 'redirect', region: 'us-east-1' }],
}

/** Ends in what is right, or in an error of ours. */
async function either<T>(work: () => Promise<T>, check: (value: T) => void | Promise<void>): Promise<void> {
  let value: T
  try {
    value = await work()
  } catch (error) {
    if (!isHeadraceError(error)) throw error
    return
  }
  await check(value)
}

describe('of every second request something goes wrong', () => {
  const cases = FAULT_KINDS.flatMap((kind) =>
    (FAULTS[kind] ?? [{ kind } as FaultRule['fault']]).map((fault) => [JSON.stringify(fault), fault] as const),
  )
  test.each(cases)('%s: right bytes or an error of ours', async (_, fault) => {
    server = await startS3Server({ faults: [{ probability: 0.5, fault, match: {} }], seed: 7, minPartSize: 1 })
    const options = { endpoint: server.url, credentials: KEYS, baseDelay: 1, maxDelay: 4, ...TIMEOUTS }
    const store = await openS3Store('bucket', { ...options, partSize: 5 * MiB })
    const inParts = await openS3Store('bucket', { ...options, partSize: 16 * 1024 })
    stores = [store, inParts]
    for (let tries = 0; tries < 20; tries++) await store.createContainer().catch(() => {})
    const small = pattern(1000, 1)
    const medium = pattern(100_000, 2)
    const large = pattern(6 * MiB, 3)
    for (let round = 0; round < 2; round++) {
      await either(
        () => store.put('small', small),
        async (info) => expect(info.size).toBe(1000),
      )
      await either(
        () => store.get('small'),
        (body) => body && expect(Buffer.compare(body.data, small)).toBe(0),
      )
      await either(
        () => store.put('medium', medium),
        () => {},
      )
      // Servers keep checksums of whole objects: other bytes in a part of one are not to be seen.
      if (fault.kind !== 'corrupt-body')
        await either(
          () => inParts.get('medium', { range: { offset: 5 } }),
          (body) => body && expect(Buffer.compare(body.data, medium.subarray(5))).toBe(0),
        )
      await either(
        async () => {
          const writer = store.writer('large')
          await writer.write(large)
          return writer.close()
        },
        (info) => expect(info.size).toBe(large.length),
      )
      await either(
        () => store.get('large'),
        (body) => body && expect(Buffer.compare(body.data, large)).toBe(0),
      )
      await either(
        () => store.copy('small', 'copy'),
        (info) => expect(info.size).toBe(1000),
      )
      await either(
        () => listed(store),
        (keys) => {
          for (const key of keys) expect(['copy', 'large', 'medium', 'small']).toContain(key)
        },
      )
      await either(
        async () => {
          const errors = []
          for await (const { error } of store.delete(['copy', 'nothing'])) if (error) errors.push(error)
          if (errors[0]) throw errors[0]
        },
        () => {},
      )
    }
  })
})
