import { describe, expect, test } from 'vitest'
import { BATCH, placeOf, Ring, ringMemory, type Session } from '../../../../src/benchmark/dlio/run/ring.ts'
import { STOP } from '../../../../src/benchmark/dlio/run/stop.ts'
import { native } from '../../../../src/native.ts'

const SESSION: Session = { part: 0, epoch: 3, batches: 5, batchSize: 4, start: 100, end: 120 }
const never = Number.NEGATIVE_INFINITY

/** The trainer's view and that of a reader which rests already. */
function pair(slots: number, readers = 1) {
  const memory = ringMemory(
    Array.from({ length: slots }, (_, i) => i),
    readers,
    new SharedArrayBuffer(4),
  )
  return { memory, trainer: new Ring(memory), reader: new Ring(memory) }
}

/** A reader that has come to rest: it would wait for a session now. */
function rest(memory: ReturnType<typeof ringMemory>): void {
  Atomics.add(new Int32Array(memory.words), 2, 1)
}

describe('a ring', () => {
  test('begins a session only when all readers rest', () => {
    const { memory, trainer } = pair(2, 2)
    expect(trainer.begin(SESSION, never)).toBe('timeout')
    rest(memory)
    expect(trainer.begin(SESSION, never)).toBe('timeout')
    rest(memory)
    expect(trainer.begin(SESSION, never)).toBe('ready')
  })

  test('tells readers what to read, and gives each batch to one of them', () => {
    const { memory, trainer, reader } = pair(3)
    rest(memory)
    trainer.begin(SESSION, never)
    const session = reader.nextSession()
    expect(session).toEqual(SESSION)
    const claimed = Array.from({ length: 7 }, () => reader.claim(SESSION))
    expect(claimed).toEqual([0, 1, 2, 3, 4, undefined, undefined])
  })

  test('hands batches over with what they cost, in slots that are used again', () => {
    const { memory, trainer, reader } = pair(2)
    rest(memory)
    trainer.begin(SESSION, never)
    expect(trainer.take(0, never)).toBe('timeout')
    for (const batch of [0, 1]) {
      expect(reader.room(batch)).toBe('ready')
      reader.numbersOf(batch)[BATCH.bytes] = 1000 + batch
      reader.publish(batch)
    }
    expect(trainer.take(0, never)).toBe('ready')
    expect(trainer.numbersOf(0)[BATCH.bytes]).toBe(1000)
    trainer.release(0)
    expect(reader.room(2)).toBe('ready')
    reader.numbersOf(2)[BATCH.bytes] = 1002
    // Whose slot has the next batch but one is not ready yet.
    expect(trainer.take(2, never)).toBe('timeout')
    reader.publish(2)
    expect(trainer.take(1, never)).toBe('ready')
    expect(trainer.take(2, never)).toBe('ready')
    expect(trainer.numbersOf(2)[BATCH.bytes]).toBe(1002)
  })

  test('begins anew with the next session', () => {
    const { memory, trainer, reader } = pair(2)
    rest(memory)
    trainer.begin(SESSION, never)
    reader.nextSession()
    reader.claim(SESSION)
    reader.publish(0)
    // By asking for a session the reader has come to rest for the next one too.
    expect(trainer.begin({ ...SESSION, epoch: 4 }, native.monotonic() + 1000)).toBe('ready')
    expect(trainer.take(0, never)).toBe('timeout')
    expect(reader.nextSession()?.epoch).toBe(4)
    expect(reader.claim(SESSION)).toBe(0)
  })

  test('that is stopped lets everybody go', () => {
    const { trainer, reader, memory } = pair(1)
    reader.stop()
    expect(trainer.stopped).toBe(true)
    expect(new Uint32Array(memory.stop)[0]).toBe(STOP.reader)
    expect(trainer.take(0, Number.POSITIVE_INFINITY)).toBe('stopped')
    expect(trainer.begin(SESSION, Number.POSITIVE_INFINITY)).toBe('stopped')
    expect(reader.room(5)).toBe('stopped')
    expect(reader.nextSession()).toBeUndefined()
  })

  test('knows where each reader is', () => {
    const { memory, trainer, reader } = pair(1, 3)
    placeOf(reader, 2).set([17, 4])
    expect(placeOf(trainer, 2)).toEqual(Float64Array.of(17, 4))
    expect(memory.readers).toBe(3)
  })
})
