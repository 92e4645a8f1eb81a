import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type S3Server, startS3Server } from '../../src/dev/s3/index.ts'
import { readTree, writeTree } from '../storage/transfer/tree.ts'
import { built, headrace, type Result, ROOT, shell, spawnHeadrace } from './built.ts'

const PHOTOS = join(ROOT, 'examples/data/photos')

let server: S3Server
let folder: string
let buckets = 0
let bucket: string
beforeAll(async () => {
  server = await startS3Server({ accessKey: 'cli-test-key', secretKey: 'cli-test-secret' })
  process.env.AWS_ENDPOINT_URL = server.url
  process.env.AWS_ACCESS_KEY_ID = 'cli-test-key'
  process.env.AWS_SECRET_ACCESS_KEY = 'cli-test-secret'
  await built()
}, 120_000)
afterAll(() => server.close())
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headrace-cli-'))
  bucket = `s3://bucket-${++buckets}`
  await ok('mb', bucket)
  return () => rm(folder, { recursive: true, force: true })
})

/** Runs to success, without a word on stderr. */
async function ok(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await headrace(...args)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return stdout
}

const place = (name: string): string => join(folder, name)
const linesOf = (text: string): readonly string[] => text.trimEnd().split('\n')
const documents = (text: string): readonly unknown[] => linesOf(text).map((line) => JSON.parse(line) as unknown)

describe('a folder of pictures', () => {
  it('goes to a bucket, becomes the cache that the folder becomes, and comes back', async () => {
    expect(await ok('cp', '-r', PHOTOS, `${bucket}/photos`)).toMatch(/^copied 25 objects, 1\.65 MiB, in .*\/s\)\n$/)
    expect(linesOf(await ok('ls', '-r', `${bucket}/photos`))).toHaveLength(25)
    await ok('cache', 'build', `${bucket}/photos`, place('remote.cache'))
    await ok('cache', 'build', PHOTOS, place('local.cache'))
    const names = (await readdir(place('local.cache'))).sort()
    expect((await readdir(place('remote.cache'))).sort()).toEqual(names)
    for (const name of names.filter((each) => each !== 'manifest.json')) {
      const [remote, local] = ['remote.cache', 'local.cache'].map((cache) => readFile(join(place(cache), name)))
      expect((await remote)?.equals((await local) ?? Buffer.alloc(0)), name).toBe(true)
    }
    await ok('cp', '-r', `${bucket}/photos/`, place('back'))
    expect((await shell(`diff -r ${PHOTOS} ${place('back')} && echo same`)).stdout).toBe('same\n')
  })
})

describe('--workers', () => {
  it('gives the store threads, which are no option of local folders', async () => {
    const copied = JSON.parse(await ok('cp', '-r', PHOTOS, `${bucket}/photos`, '--workers', '2', '--json')) as object
    expect(copied).toMatchObject({ copied: 25, failed: 0 })
    const connections = new Set(server.requests.entries.slice(-25).map(({ connection }) => connection))
    expect(connections.size).toBeGreaterThan(1)
    await ok('sync', `${bucket}/photos`, place('back'), '--workers', '2')
    expect((await shell(`diff -r ${PHOTOS} ${place('back')} && echo same`)).stdout).toBe('same\n')
    await ok('mv', '-r', `${bucket}/photos`, place('moved'), '--workers', '1')
    expect((await shell(`diff -r ${PHOTOS} ${place('moved')} && echo same`)).stdout).toBe('same\n')
    const { code, stderr } = await headrace('cp', '-r', PHOTOS, `${bucket}/photos`, '--workers', '65')
    expect([code, stderr]).toEqual([2, 'headrace: workers must be an integer from 1 to 64, but got 65 [E_USAGE]\n'])
  })
})

describe('ls', () => {
  it('shows one level, or all; every slash variant means the same', async () => {
    await writeTree(place('t'), { 'a b': '1', 'd/e': '22', 'd/f/g': '333' })
    await ok('cp', '-r', place('t'), bucket)
    for (const url of [bucket, `${bucket}/`, `${bucket}//`])
      expect(linesOf(await ok('ls', url))).toEqual([`${bucket}/a b`, `${bucket}/d/`])
    for (const url of [`${bucket}/d`, `${bucket}/d/`, `${bucket}//d//`])
      expect(linesOf(await ok('ls', url))).toEqual([`${bucket}/d/e`, `${bucket}/d/f/`])
    expect(linesOf(await ok('ls', '-r', bucket))).toEqual(['a b', 'd/e', 'd/f/g'].map((key) => `${bucket}/${key}`))
    expect(linesOf(await ok('ls', '-r', bucket, '--exclude', '*g'))).toHaveLength(2)
    expect(linesOf(await ok('ls', `${bucket}/a b`))).toEqual([`${bucket}/a b`])
    expect(await ok('ls', '-l', '-r', bucket)).toMatch(/^ +1 B {2}\d{4}-\d\d-\d\d \d\d:\d\d:\d\d {2}s3:.*\/a b\n +2 B /)
    expect(linesOf(await ok('ls', place('t')))).toEqual([place('t/a b'), place('t/d/')])
    expect(linesOf(await ok('ls', 's3://'))).toContain(bucket)
  })

  it('--json prints a document a line', async () => {
    await writeTree(place('t'), { a: '1', 'd/e': '22' })
    await ok('cp', '-r', place('t'), bucket)
    expect(documents(await ok('ls', bucket, '--json'))).toEqual([
      {
        kind: 'object',
        url: `${bucket}/a`,
        key: 'a',
        size: 1,
        etag: expect.any(String),
        modified: expect.stringMatching(/^\d{4}-.*Z$/),
      },
      { kind: 'prefix', url: `${bucket}/d/` },
    ])
    expect(documents(await ok('ls', 's3://', '--json'))).toContainEqual(
      expect.objectContaining({ kind: 'container', url: bucket }),
    )
  })

  it('of what is not there ends with 1, of an empty bucket or folder with 0', async () => {
    expect(await headrace('ls', `${bucket}/nothing`)).toEqual({
      code: 1,
      stdout: '',
      stderr: `headrace: ${bucket}/nothing is not there [E_NOT_FOUND]\n`,
    })
    expect(await ok('ls', bucket)).toBe('')
    expect(await ok('ls', folder)).toBe('')
  })

  it('stops without a word where the reader has enough', async () => {
    await mkdir(place('many'))
    await Promise.all(Array.from({ length: 3000 }, (_, i) => writeFile(place(`many/file-${i}`), '')))
    expect(await shell(`HEADRACE ls ${place('many')} | head -n 1`)).toEqual({
      code: 0,
      stdout: `${place('many/file-0')}\n`,
      stderr: '',
    })
  })

  it('keeps names with line breaks on their lines', async () => {
    await writeTree(place('t'), { 'a\nb': '1' })
    expect(await ok('ls', place('t'))).toBe(`${place('t')}/a\\nb\n`)
  })
})

describe('stat, du and cat', () => {
  it('stat tells what is known of an object', async () => {
    await writeTree(place('t'), { a: 'hello' })
    await ok('cp', place('t/a'), `${bucket}/a`)
    expect(await ok('stat', `${bucket}/a`)).toContain('etag      5d41402abc4b2a76b9719d911017c592\n')
    expect(JSON.parse(await ok('stat', `${bucket}/a`, '--json'))).toMatchObject({
      url: `${bucket}/a`,
      size: 5,
      etag: '5d41402abc4b2a76b9719d911017c592',
      checksum: { algorithm: 'crc32c', value: '9a71bb4c' },
    })
    expect((await headrace('stat', place('t'))).stderr).toBe(`headrace: ${place('t')} is a folder [E_USAGE]\n`)
  })

  it('du sums up folders level by level', async () => {
    await writeTree(place('t'), { 'a/b/c': '22', 'a/d': '333', 'a-': '1', 'e/f/g': '55555' })
    await ok('cp', '-r', place('t'), `${bucket}/t`)
    const rows = async (...args: string[]) =>
      (
        documents(await ok('du', `${bucket}/t`, '--json', ...args)) as { url: string; bytes: number; objects: number }[]
      ).map(({ url, bytes, objects }) => [url.slice(bucket.length), bytes, objects])
    const total = ['/t', 11, 4]
    expect(await rows()).toEqual([['/t/a/', 5, 2], ['/t/e/', 5, 1], total])
    expect(await rows('--depth', '0')).toEqual([total])
    expect(await rows('--depth', '2')).toEqual([
      ['/t/a/b/', 2, 1],
      ['/t/a/', 5, 2],
      ['/t/e/f/', 5, 1],
      ['/t/e/', 5, 1],
      total,
    ])
    expect(await ok('du', place('t'), '--depth', '0')).toBe(`      11 B          4  ${place('t')}\n`)
  })

  it('cat writes objects, or ranges of them', async () => {
    await writeTree(place('t'), { a: '0123456789', b: 'second' })
    await ok('cp', '-r', place('t'), bucket)
    expect(await ok('cat', `${bucket}/a`, `${bucket}/b`, place('t/a'))).toBe('0123456789second0123456789')
    const range = (text: string) => ok('cat', `${bucket}/a`, '--range', text, '--part-size', '2KiB')
    expect(await range('2-4')).toBe('234')
    expect(await range('7-')).toBe('789')
    expect(await range('-3')).toBe('789')
    expect(await range('-30')).toBe('0123456789')
    expect(await range('8-100')).toBe('89')
    expect((await headrace('cat', bucket)).stderr).toMatch(/ is a folder \[E_USAGE\]\n$/)
    expect((await headrace('cat', place('t'))).stderr).toMatch(/ is a folder \[E_USAGE\]\n$/)
    expect(await headrace('cat', `${bucket}/a`, '--range', '11-')).toEqual({
      code: 2,
      stdout: '',
      stderr: `headrace: the range begins at byte 11, past the end of ${bucket}/a [E_USAGE]\n`,
    })
    expect(await headrace('cat', `${bucket}/no`)).toMatchObject({ code: 1, stdout: '' })
    expect(
      (
        await shell(
          `HEADRACE cat ${PHOTOS}/people/astronaut.jpg --part-size 3KB | cmp - ${PHOTOS}/people/astronaut.jpg`,
        )
      ).code,
    ).toBe(0)
  })
})

describe('cp, mv, sync and rm', () => {
  it('print one JSON document, and a dry run a step a line', async () => {
    await writeTree(place('t'), { a: '1', 'd/e': '22' })
    const plan = documents(await ok('cp', '-r', place('t'), `${bucket}/t`, '--dry-run', '--json'))
    expect(plan).toEqual([
      { action: 'copy', from: place('t/a'), to: `${bucket}/t/a`, size: 1 },
      { action: 'copy', from: place('t/d/e'), to: `${bucket}/t/d/e`, size: 2 },
    ])
    expect(await ok('ls', bucket)).toBe('')
    expect(JSON.parse(await ok('cp', '-r', place('t'), `${bucket}/t`, '--json'))).toEqual({
      copied: 2,
      bytes: 3,
      skipped: 0,
      deleted: 0,
      failed: 0,
      failures: [],
      seconds: expect.any(Number),
    })
    expect(await ok('sync', place('t'), `${bucket}/t`)).toMatch(/^copied 0 objects, 0 B, in .*; 2 skipped\n$/)
    await writeTree(place('t'), { a: '12' })
    await rm(place('t/d'), { recursive: true })
    expect(await ok('sync', place('t'), `${bucket}/t`, '--delete', '--dry-run')).toMatch(
      /^(delete .*\/t\/d\/e\ncopy .* \(2 B\)|copy .* \(2 B\)\ndelete .*\/t\/d\/e)\nwould have copied 1 object, 2 B, deleted 1 object, in .*\n$/,
    )
    expect(await ok('sync', place('t'), `${bucket}/t`, '--delete')).toMatch(/^copied 1 object, 2 B, deleted 1 object, /)
    expect(await ok('mv', '-r', `${bucket}/t`, `${bucket}/moved`)).toMatch(/^copied 1 object, 2 B, deleted 1 object, /)
    expect(linesOf(await ok('ls', '-r', bucket))).toEqual([`${bucket}/moved/a`])
    expect(await ok('rm', '-r', `${bucket}/moved`)).toMatch(/^deleted 1 object, in /)
    expect(await ok('ls', bucket)).toBe('')
  })

  it('tell what failed, go on, and end with 3; with 0 where that is wanted, with 1 at the first where that is', async () => {
    await writeTree(place('t'), { a: '1', z: '2' })
    await symlink('nowhere', place('t/link'))
    const line = `headrace: ${place('t/link')} is a link to nothing [E_NOT_FOUND]\n`
    const copy = (...flags: string[]) => headrace('cp', '-r', place('t'), place('out'), ...flags)
    expect(await copy()).toMatchObject({ code: 3, stdout: expect.stringMatching(/; 1 failed\n$/), stderr: line })
    const skipped = await copy('--on-error', 'skip', '--json')
    expect(skipped).toMatchObject({ code: 0, stderr: line })
    expect(JSON.parse(skipped.stdout)).toMatchObject({
      copied: 2,
      skipped: 1,
      failed: 0,
      failures: [{ code: 'E_NOT_FOUND' }],
    })
    expect(await copy('--on-error', 'throw')).toMatchObject({ code: 1, stdout: '', stderr: line })
    expect(await readTree(place('out'))).toEqual({ a: '1', z: '2' })
  })

  it('tell each hint once, after the failures', async () => {
    await writeTree(place('t'), { a: '1', b: '2' })
    const { code, stderr } = await headrace('cp', '-r', place('t'), 's3://nowhere')
    expect(code).toBe(3)
    expect(stderr.split('hint: ')).toEqual([
      expect.stringMatching(/^(headrace: .*: cannot put s3:\/\/nowhere\/[ab]: NoSuchBucket.* \[E_NOT_FOUND\]\n){2}$/),
      'check the name; `headrace mb` makes a bucket\n',
    ])
  })

  it('say where patterns go', async () => {
    for (const command of ['ls', 'rm', 'stat'])
      expect((await headrace(command, `${bucket}/*.jpg`)).stderr).toBe(
        `headrace: ${bucket}/*.jpg is not there [E_NOT_FOUND]\nhint: a pattern goes into --include, the folder stands alone\n`,
      )
  })

  it('refuse collisions before anything is written', async () => {
    await writeTree(folder, { 'p/x': '1', 'q/x': '2' })
    const { code, stderr } = await headrace('cp', place('p/x'), place('q/x'), `${bucket}/out/`)
    expect(code).toBe(2)
    expect(stderr).toBe(
      `headrace: ${place('p/x')} and ${place('q/x')} would both become ${bucket}/out/x [E_USAGE]\nhint: copy them into different folders\n`,
    )
    expect(await ok('ls', bucket)).toBe('')
  })

  it('record every operation where an op-log is asked for', async () => {
    await writeTree(place('t'), { a: '1', 'd/e': '22' })
    await ok('cp', '-r', place('t'), `${bucket}/t`, '--op-log', place('ops.ndjson'))
    const { ops } = JSON.parse(await ok('oplog', 'summary', place('ops.ndjson'), '--json')) as {
      readonly ops: readonly { readonly op: string; readonly count: number; readonly bytes: number }[]
    }
    const told = ops.map(({ op, count, bytes }) => [op, count, bytes])
    expect(told.sort()).toEqual([
      ['GET_RANGE', 2, 3],
      ['HEAD', 1, 0],
      ['LIST', 1, 0],
      ['PUT', 2, 3],
    ])
    // Links are not followed where the log stands between the command and the files, either.
    await writeTree(place('precious'), { x: 'mine' })
    await symlink(place('precious'), place('t/link'))
    await ok('rm', '-r', place('t'), '--op-log', place('ops.tsv'))
    expect(await readTree(folder)).toMatchObject({ 'precious/x': 'mine' })
    expect((await headrace('rm', `${bucket}/t/a`, '--op-log', place('ops.csv'))).code).toBe(2)
  })

  it('take standard input', async () => {
    expect((await shell(`printf 'from a pipe' | HEADRACE cp - ${bucket}/piped`)).stdout).toBe(
      `copied 11 B to ${bucket}/piped\n`,
    )
    expect(await ok('cat', `${bucket}/piped`)).toBe('from a pipe')
    expect((await shell(`printf x | HEADRACE cp - ${bucket}/`)).code).toBe(2)
  })

  it('draw progress on stderr where it is asked for', async () => {
    await writeTree(place('t'), { a: '1' })
    const { stdout, stderr } = await headrace('cp', '-r', place('t'), bucket, '--progress', '--json')
    expect(JSON.parse(stdout)).toMatchObject({ copied: 1 })
    expect(stderr).toContain('copying ')
  })

  it('rm needs to be told that a whole bucket is meant', async () => {
    await writeTree(place('t'), { a: '1' })
    await ok('cp', '-r', place('t'), bucket)
    expect(await headrace('rm', '-r', bucket)).toEqual({
      code: 2,
      stdout: '',
      stderr: `headrace: ${bucket}/ is a whole bucket: nothing is deleted [E_USAGE]\nhint: --force empties it\n`,
    })
    expect(await headrace('rm', `${bucket}/no`)).toMatchObject({ code: 1 })
    expect((await headrace('rm', place('t'))).stderr).toMatch(/is a folder \[E_USAGE\]\nhint: -r takes it /)
    await ok('rm', '-r', '--force', bucket)
    expect(await ok('ls', bucket)).toBe('')
  })
})

describe('mb, rb and presign', () => {
  it('make and remove buckets and local folders', async () => {
    await writeTree(place('t'), { a: '1' })
    expect((await headrace('mb', bucket)).stderr).toContain('[E_EXISTS]')
    await ok('cp', '-r', place('t'), bucket)
    expect((await headrace('rb', bucket)).stderr).toMatch(/\[E_STATE\]\nhint: --force deletes what is in it first\n$/)
    expect(await ok('rb', '--force', bucket)).toBe(`removed ${bucket}\n`)
    expect((await headrace('ls', bucket)).stderr).toContain('[E_NOT_FOUND]')
    expect(await ok('mb', place('new/deep'))).toBe(`made ${place('new/deep')}\n`)
    expect((await headrace('mb', place('new'))).stderr).toContain('[E_EXISTS]')
    expect((await headrace('rb', place('new'))).stderr).toContain('is not empty [E_STATE]')
    await ok('rb', place('new/deep'))
    await ok('rb', '--force', place('new'))
    expect(await readdir(folder)).toEqual(['t'])
    expect((await headrace('mb', `${bucket}/folder`)).code).toBe(2)
  })

  it('presign gives a URL that anybody can use until it expires', async () => {
    await writeTree(place('t'), { a: 'secret text' })
    await ok('cp', place('t/a'), `${bucket}/a b`)
    const url = (await ok('presign', `${bucket}/a b`, '--expires', '15m')).trimEnd()
    expect(new URL(url).searchParams.get('X-Amz-Expires')).toBe('900')
    expect(await (await fetch(url)).text()).toBe('secret text')
    const put = JSON.parse(await ok('presign', `${bucket}/new`, '--method', 'put', '--json')) as { presigned: string }
    expect((await fetch(put.presigned, { method: 'PUT', body: 'by a guest' })).status).toBe(200)
    expect(await ok('cat', `${bucket}/new`)).toBe('by a guest')
    expect((await headrace('presign', place('t/a'))).stderr).toContain('[E_UNSUPPORTED]')
    expect((await headrace('presign', bucket)).code).toBe(2)
  })
})

describe('usage errors end with 2', () => {
  it.each([
    [['cp', 'a'], 'the destination is missing'],
    [['cp', 's3://b/a', '-'], 'hint: `headrace cat` writes to standard output'],
    [['mv', 's3://b/a', '-'], '- is standard input'],
    [['cp'], "missing required argument 'paths'"],
    [['cp', 'a', 'b', '--jobs', '0'], 'It must be a positive integer.'],
    [['cp', 'a', 'b', '--part-size', '8M'], 'It must be a size such as'],
    [['cp', 'a', 'b', '--on-error', 'stop'], 'Allowed choices are report, skip, throw.'],
    [['cat', 'a', '--range', '9-3'], 'It must be like 0-99'],
    [['cat', 'a', '--range', '-'], 'It must be like 0-99'],
    [['presign', 's3://b/a', '--expires', 'soon'], 'It must be a time such as'],
    [['sync', 'a'], "missing required argument 'destination'"],
    [['mb', 's3://'], 'names no bucket'],
    [['cp', '-r', 's3://', 'x'], 'names no bucket'],
  ])('%j', async (args, message) => {
    const { code, stdout, stderr } = await headrace(...args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(message)
  })
})

it.each(['ls', 'stat', 'du', 'cat', 'cp', 'mv', 'rm', 'sync', 'mb', 'rb', 'presign'])(
  '%s --help has an example',
  async (command) => {
    expect(await ok(command, '--help')).toContain(`Example:\n  headrace ${command} `)
  },
)

it('settings come from .env in the working folder, and what is set already wins', async () => {
  await writeFile(
    place('.env'),
    `AWS_ENDPOINT_URL=${server.url}\nAWS_ACCESS_KEY_ID=cli-test-key\nAWS_SECRET_ACCESS_KEY="cli-test-secret"\n`,
  )
  const list = (env: string): Promise<Result> =>
    shell(
      `cd ${folder} && env -u AWS_ENDPOINT_URL -u AWS_ACCESS_KEY_ID -u AWS_SECRET_ACCESS_KEY ${env} HEADRACE ls s3://`,
    )
  expect((await list('')).stdout).toContain(`${bucket}\n`)
  const wrong = await list('AWS_SECRET_ACCESS_KEY=another')
  expect(wrong.code).toBe(1)
  expect(wrong.stderr).not.toContain('cli-test-secret')
})

describe('a copy that is killed', () => {
  const COUNT = 400
  it('leaves nothing half-visible, and the same command completes it', async () => {
    const text = 'x'.repeat(50_000)
    await mkdir(place('in'))
    await Promise.all(Array.from({ length: COUNT }, (_, i) => writeFile(place(`in/${i}`), `${i} ${text}`)))
    await ok('cp', '-r', place('in'), `${bucket}/in`)
    await mkdir(place('out'))
    const copy = ['cp', '-r', `${bucket}/in`, place('out'), '--jobs', '4'] as const
    for (const signal of ['SIGKILL', 'SIGINT'] as const) {
      await rm(place('out'), { recursive: true })
      const child = spawnHeadrace(...copy)
      const ended = once(child, 'exit') as Promise<[number | null, string | null]>
      const visible = async () =>
        (await ok('ls', place('out')).catch(() => '')).split('\n').filter((line) => line !== '')
      while ((await readdir(place('out')).catch(() => [])).length < 20)
        await new Promise((resolve) => setTimeout(resolve, 2))
      child.kill(signal)
      const [code] = await ended
      expect(code).toBe(signal === 'SIGINT' ? 130 : null)
      const there = await visible()
      expect(there.length).toBeLessThan(COUNT)
      for (const path of there)
        expect((await readFile(path, 'utf8')) === `${path.slice(path.lastIndexOf('/') + 1)} ${text}`).toBe(true)
      if (signal === 'SIGINT')
        expect((await readdir(place('out'))).filter((name) => name.startsWith('.headrace'))).toEqual([])
    }
    await ok(...copy)
    expect((await shell(`diff -r ${place('in')} ${place('out')} && echo same`)).stdout).toBe('same\n')
  })
})
