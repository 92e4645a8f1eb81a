import { afterEach, expect, test } from 'vitest'
import { FAULT_KINDS, type FaultRule, type S3Server, startS3Server } from '../../src/dev/s3/index.ts'
import { isHeadraceError } from '../../src/errors.ts'
import { openStore } from '../../src/storage/open.ts'
import type { Store } from '../../src/storage/types.ts'
import { OPERATIONS, patient, Storm } from './storm.ts'

/** Every kind of fault that the development server knows, against every operation. */

type Fault = FaultRule['fault']

const KEYS = { accessKeyId: 'testkey', secretAccessKey: 'testsecret' }
/** Milliseconds: what stalls is given up soon. */
const TIMEOUTS = { firstByteTimeout: 150, stallTimeout: 150, connectTimeout: 500 }
/** Bytes; the second is more than any object has: servers keep checksums of whole objects, so only they are compared. */
const PART = 512 * 1024
const WHOLE = 8 * 2 ** 20
/** Above S3's least part. */
const LARGE = 5.5 * 2 ** 20
const LANES = 4
const ROUNDS = OPERATIONS.length * 2

/** A fault of each kind as it is met; those that take time take little, or for ever. */
const FAULTS: Partial<Record<Fault['kind'], readonly Fault[]>> = {
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
/** Of one operation only. */
const RARE: ReadonlySet<Fault['kind']> = new Set(['duplicate-complete', 'error-in-200'])
const cases = FAULT_KINDS.flatMap((kind) =>
  (FAULTS[kind] ?? [{ kind } as Fault]).map((fault) => [JSON.stringify(fault), fault] as const),
)

let server: S3Server | undefined
let stores: Store[] = []
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()))
  await server?.close()
  server = undefined
})

let runs = 0
test.each(cases)(
  '%s',
  async (_, fault) => {
    server = await startS3Server({
      faults: [{ probability: RARE.has(fault.kind) ? 0.8 : 0.35, fault, match: {} }],
      seed: 11,
      minPartSize: 1,
    })
    const { url, requests } = server
    const partSize = fault.kind === 'corrupt-body' ? WHOLE : PART
    const options = { endpoint: url, credentials: KEYS, baseDelay: 1, maxDelay: 4, partSize, ...TIMEOUTS }
    const store = await openStore('s3://storm', options)
    const verifier = await openStore('s3://storm', { ...options, partSize: WHOLE, attempts: 20 })
    stores = [store, verifier]
    // Made by one attempt, the answer lost: the next one says that it is there.
    await patient(() => verifier.createContainer?.().catch(isThere) ?? Promise.resolve())
    const changedParts = fault.kind === 'corrupt-body' ? ({ changedParts: true } as const) : {}
    const storms = Array.from(
      { length: LANES },
      (_, lane) =>
        new Storm(store, `lane-${lane}`, {
          seed: lane,
          rounds: ROUNDS,
          limit: 20_000,
          large: LARGE,
          ...changedParts,
        }),
    )
    const reports = await Promise.all(storms.map((storm) => storm.run()))
    for (const report of reports) runs += report.runs
    expect(requests.count(fault.kind)).toBeGreaterThan(0)
    for (const storm of storms) await storm.verify(verifier)
    // On a machine that is busy with other things, time-outs of 200 ms end many an upload in parts.
    const uploads = new Storm(store, 'uploads', {
      seed: 0,
      rounds: 1,
      operations: ['multipart'],
      limit: 20_000,
      large: LARGE,
    })
    for (let i = 0; i < 10 && requests.count('CompleteMultipartUpload') === 0; i++) await uploads.run()
    if (fault.kind !== 'corrupt-body') expect(requests.count('CompleteMultipartUpload')).toBeGreaterThan(0)
  },
  60_000,
)

function isThere(error: unknown): void {
  if (!isHeadraceError(error, 'E_EXISTS')) throw error
}

test('these were enough', () => {
  expect(runs).toBe(cases.length * LANES * ROUNDS)
  expect(runs).toBeGreaterThanOrEqual(1000)
  expect(FAULT_KINDS.length).toBeGreaterThanOrEqual(12)
})
