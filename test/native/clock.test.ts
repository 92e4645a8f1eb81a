import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { native } from '../../src/native.ts'

test('the clock is that of process.hrtime, and the same in every thread', async () => {
  const before = Number(process.hrtime.bigint()) / 1e6
  const time = native.monotonic()
  const after = Number(process.hrtime.bigint()) / 1e6
  expect(time).toBeGreaterThanOrEqual(before - 1e-3)
  expect(time).toBeLessThanOrEqual(after + 1e-3)
  const other = await new Promise<number>((resolve, reject) => {
    const source = 'require("node:worker_threads").parentPort.postMessage(Number(process.hrtime.bigint()) / 1e6)'
    new Worker(source, { eval: true }).once('message', resolve).once('error', reject)
  })
  expect(other).toBeGreaterThan(time)
  expect(native.monotonic()).toBeGreaterThan(other)
})

test('a wait is over when its time has come, never before, and says when that was', () => {
  const go = new Uint32Array(1)
  for (const span of [0.01, 0.1, 0.3, 1, 5, 45]) {
    const end = native.monotonic() + span
    const over = native.waitUntil(end, go)
    expect(over).toBeGreaterThanOrEqual(end)
    expect(native.monotonic()).toBeGreaterThanOrEqual(over)
  }
})

test('what is over already is not waited for', () => {
  const go = new Uint32Array(1)
  const start = native.monotonic()
  for (const end of [start - 1000, 0, Number.NaN, Number.NEGATIVE_INFINITY])
    expect(native.waitUntil(end, go)).toBeGreaterThanOrEqual(start)
})

test('a wait ends early when it is told to, also by another thread', async () => {
  const stop = new SharedArrayBuffer(4)
  expect(native.waitUntil(native.monotonic() + 1e9, Uint32Array.of(1))).toBeLessThan(native.monotonic() + 1e6)
  const source = `
    const { workerData, parentPort } = require('node:worker_threads')
    parentPort.postMessage('up')
    setTimeout(() => { new Uint32Array(workerData)[0] = 1 }, 30)`
  const worker = new Worker(source, { eval: true, workerData: stop })
  await new Promise((resolve) => worker.once('message', resolve))
  const end = native.monotonic() + 60_000
  expect(native.waitUntil(end, new Uint32Array(stop))).toBeLessThan(end)
  await worker.terminate()
})

test('a wait needs a time and a word to look at', () => {
  expect(() => native.waitUntil('soon' as never, new Uint32Array(1))).toThrow('time must be a number')
  expect(() => native.waitUntil(0, new Uint32Array(0))).toThrow('stop')
  expect(() => native.waitUntil(0, new Uint8Array(4) as never)).toThrow('stop')
})
