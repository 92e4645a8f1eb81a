import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { clientOptions, REMOTE_OPTIONS, remoteOptions } from '../../../src/storage/remote/options.ts'
import { failing } from '../conformance.ts'

const defaults = {
  concurrency: 64,
  attempts: 5,
  baseDelay: 100,
  maxDelay: 20_000,
  connectTimeout: 5_000,
  firstByteTimeout: 30_000,
  stallTimeout: 30_000,
  idleTimeout: 20_000,
  partSize: 8 * 2 ** 20,
  partsInFlight: 8,
  balance: 'round-robin',
  verifyTls: true,
}

test('what is not said has its default, and every option its name', () => {
  expect(remoteOptions()).toEqual(defaults)
  expect([...REMOTE_OPTIONS].sort()).toEqual([...Object.keys(defaults), 'ca'].sort())
})

test('strings, as URLs have them, mean what they say', () => {
  const query = { concurrency: '16', baseDelay: '0.5', partSize: '16MiB', balance: 'least-busy', verifyTls: 'false' }
  expect(remoteOptions({ ...query, region: 'not one of these' })).toEqual({
    ...defaults,
    concurrency: 16,
    baseDelay: 0.5,
    partSize: 16 * 2 ** 20,
    balance: 'least-busy',
    verifyTls: false,
  })
})

test.each<[object, ...string[]]>([
  [{ concurrency: 0 }, 'concurrency', '0'],
  [{ concurrency: '5000' }, 'from 1 to 4096', '5000'],
  [{ attempts: '1.5' }, 'attempts', '1.5'],
  [{ attempts: 'many' }, 'attempts', '"many"'],
  [{ baseDelay: -1 }, 'baseDelay', '-1'],
  [{ stallTimeout: 2 ** 31 }, 'stallTimeout', '2147483648'],
  [{ partSize: 1023 }, 'partSize', '1023'],
  [{ partSize: '64K' }, 'partSize', '64KiB'],
  [{ partSize: '6GiB' }, 'partSize', '5368709120'],
  [{ balance: 'random' }, 'balance', '"random"'],
  [{ verifyTls: 'no' }, 'verifyTls', '"no"'],
  [{ ca: '' }, 'ca must be PEM'],
])('%j is refused', (options, ...words) => {
  expect(() => remoteOptions({ ...options })).toThrow(failing('E_USAGE', ...words) as Error)
})

test('an authority is PEM, or a file of it', () => {
  const pem = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'
  expect(remoteOptions({ ca: pem }).ca).toBe(pem)
  const folder = fs.mkdtempSync(join(tmpdir(), 'headrace-ca-'))
  try {
    const path = join(folder, 'ca.pem')
    fs.writeFileSync(path, pem)
    expect(remoteOptions({ ca: path }).ca).toBe(pem)
    fs.writeFileSync(path, 'nothing of the kind')
    expect(() => remoteOptions({ ca: path })).toThrow(failing('E_CONFIG', path, 'no PEM certificate') as Error)
    expect(() => remoteOptions({ ca: `${path}x` })).toThrow(failing('E_CONFIG', `${path}x`, 'ENOENT') as Error)
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
})

test('the client gets what is its own', () => {
  expect(clientOptions(remoteOptions({ concurrency: 3, connectTimeout: 1, ca: '-----BEGIN' }))).toEqual({
    connections: 3,
    connectTimeout: 1,
    firstByteTimeout: 30_000,
    stallTimeout: 30_000,
    idleTimeout: 20_000,
    verifyTls: true,
    ca: '-----BEGIN',
  })
})
