import { execFile } from 'node:child_process'
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makePhotos } from '../../examples/make-photos.ts'
import { startS3Server } from '../../src/dev/s3/index.ts'
import { built, ROOT } from '../cli/built.ts'
import { PHOTOS } from '../loader/photo-cache.ts'
import { codeOf } from './pages.ts'

const COUNT = 120

let folder: string
let server: Awaited<ReturnType<typeof startS3Server>>
let output: readonly string[]

/** The page's commands and programs, in order, in a folder of their own; what each block of commands prints. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headrace-tutorial-'))
  await built()
  await makePhotos(PHOTOS, join(folder, 'photos'), { count: COUNT, shortSide: 48, quality: 85, seed: 4 })
  await mkdir(join(folder, 'bin'))
  await writeFile(
    join(folder, 'bin/headrace'),
    `#!/bin/sh\nexec '${process.execPath}' '${ROOT}/dist/cli/headrace.cjs' "$@"\n`,
  )
  await chmod(join(folder, 'bin/headrace'), 0o755)
  await mkdir(join(folder, 'node_modules'))
  await symlink(ROOT, join(folder, 'node_modules/headrace'))
  server = await startS3Server()
  const { PATH, HOME } = process.env
  const env = {
    PATH: `${join(folder, 'bin')}:${PATH}`,
    HOME,
    AWS_ENDPOINT_URL: server.url,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'testkey',
    AWS_SECRET_ACCESS_KEY: 'testsecret',
  }
  const printed: string[] = []
  for (const { language, text } of await codeOf('train-from-an-object-store.md')) {
    const [, name] = /^\/\/ (\S+)\n/.exec(text) ?? []
    if (language === 'sh')
      printed.push((await promisify(execFile)('bash', ['-euc', text], { cwd: folder, env })).stdout)
    else if (name !== undefined) await writeFile(join(folder, name), text)
  }
  output = printed
})
afterAll(async () => {
  await server.close()
  await rm(folder, { recursive: true })
})

/** Epoch, step and loss of each line of training. */
const stepsOf = (text = '') =>
  [...text.matchAll(/^epoch (\d) step (\d+) loss (\S+)$/gm)].map(([, epoch, step, loss]) => ({
    at: `${epoch}.${step}`,
    loss: Number(loss),
  }))

describe('the tutorial about object stores', () => {
  it('puts all photographs into the bucket and lists them', () => {
    const [copied, listed] = output
    expect(copied).toContain(`${COUNT}  s3://demo/photos`)
    expect(listed).toContain(`${COUNT} objects`)
    expect(listed).toMatch(/^fingerprint {2}[0-9a-f]{64}$/m)
    expect(listed?.trim().split('\n').slice(-2)).toEqual([
      expect.stringMatching(/\.jpg$/),
      expect.stringMatching(/\.jpg$/),
    ])
  })

  it('trains, stops, and goes on with the step that would have come next', () => {
    const [first, second] = [stepsOf(output[2]), stepsOf(output[3])]
    const all = ['0', '1', '2'].flatMap((epoch) => ['0', '1', '2', '3', '4', '5'].map((step) => `${epoch}.${step}`))
    expect(first.map(({ at }) => at)).toEqual(all.slice(0, 5))
    expect(second.map(({ at }) => at)).toEqual(all.slice(5))
    const lossOf = (steps: readonly { loss: number }[]) => steps.reduce((sum, { loss }) => sum + loss, 0) / steps.length
    expect(lossOf(second.slice(-5))).toBeLessThan(0.9 * lossOf(first))
    expect(output[3]).toMatch(/^\d+ of 24 held-out pictures are right$/m)
  })
})
