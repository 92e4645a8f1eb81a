import { expect, test } from 'vitest'
import { MemoryStore } from '../../src/storage/memory.ts'
import { bytesOf, listed, storeConformance } from './conformance.ts'

storeConformance(
  'memory',
  async () => new MemoryStore('test'),
  async () => {},
)

test('every memory store is a world of its own, whatever its name', async () => {
  const one = new MemoryStore('same')
  const other = new MemoryStore('same')
  await one.put('k', bytesOf('x'))
  expect(await listed(other)).toEqual([])
})

test('a key may lie below another', async () => {
  const store = new MemoryStore('m')
  await store.put('a', bytesOf('1'))
  await store.put('a/b', bytesOf('2'))
  expect(await listed(store)).toEqual(['a', 'a/b'])
  expect(await listed(store, '', { delimiter: '/' })).toEqual(['a', 'a/'])
})

test('close lets the objects go', async () => {
  const store = new MemoryStore('m')
  await store.put('a', bytesOf('1'))
  await store.close()
  expect(await listed(store)).toEqual([])
})

test('keeps a type and metadata, which copies take over unless they are given others', async () => {
  const store = new MemoryStore('m')
  const said = { contentType: 'text/plain', metadata: { Colour: 'red' } }
  const kept = { contentType: 'text/plain', metadata: { colour: 'red' } }
  expect(await store.put('put', bytesOf('x'), said)).toMatchObject(kept)
  const writer = store.writer('written', said)
  await writer.write(bytesOf('x'))
  await writer.close()
  await store.copy('put', 'copy')
  for (const key of ['put', 'written', 'copy']) expect(await store.head(key)).toMatchObject(kept)
  const other = await store.copy('put', 'other', { contentType: 'text/html', metadata: {} })
  expect(other).toMatchObject({ contentType: 'text/html' })
  expect(other).not.toHaveProperty('metadata')
})
