import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest'
import { withScratch } from '../src/scratch.ts'

let parent: string
beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'headrace-scratch-test-'))
})
afterEach(() => vi.unstubAllEnvs())
afterAll(() => rm(parent, { recursive: true, force: true }))

it('a scratch folder lies in $HEADRACE_SCRATCH while it is used, and is removed with what is in it', async () => {
  vi.stubEnv('HEADRACE_SCRATCH', parent)
  const used = await withScratch('test', async (folder) => {
    await writeFile(join(folder, 'file'), 'x')
    expect(await readdir(parent)).toEqual([basename(folder)])
    return folder
  })
  expect(used).toMatch(/headrace-test-\w+$/)
  expect(await readdir(parent)).toEqual([])
})

it('it is removed when its use fails, and that is what is thrown', async () => {
  vi.stubEnv('HEADRACE_SCRATCH', parent)
  await expect(withScratch('test', () => Promise.reject(new Error('of its own')))).rejects.toThrow('of its own')
  expect(await readdir(parent)).toEqual([])
})

it("without the variable it lies in the system's folder for temporary files", async () => {
  for (const value of [undefined, '']) {
    vi.stubEnv('HEADRACE_SCRATCH', value)
    const used = await withScratch('test', (folder) => Promise.resolve(folder))
    expect(dirname(used)).toBe(tmpdir())
    expect(existsSync(used)).toBe(false)
  }
})

it('a variable that names no folder is refused by its name', async () => {
  vi.stubEnv('HEADRACE_SCRATCH', join(parent, 'nowhere'))
  await expect(withScratch('test', () => Promise.resolve())).rejects.toMatchObject({
    code: 'E_NOT_FOUND',
    message: expect.stringContaining(join(parent, 'nowhere')),
    details: { hint: expect.stringContaining('$HEADRACE_SCRATCH') },
  })
})

it('listeners do not pile up', async () => {
  const before = process.listenerCount('exit')
  for (let i = 0; i < 20; i++) await withScratch('test', () => Promise.resolve())
  expect(process.listenerCount('exit')).toBe(before)
})
