import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { startS3Server } from '../../src/dev/s3/index.ts'
import { built, headrace, ROOT } from '../cli/built.ts'
import { KEYS, presigned, send } from './signed.ts'

/** `headrace dev s3` in a process of its own. */

let dir: string
beforeAll(built, 120_000)
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'headrace-dev-test-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

interface Listening {
  readonly url: string
  readonly dir: string
  readonly environment: Readonly<Record<string, string>>
}

/** Starts it, waits for its first words, and says how it ended. */
async function started(args: readonly string[], more: Readonly<Record<string, string>> = {}) {
  const { AWS_ACCESS_KEY_ID: _a, AWS_SECRET_ACCESS_KEY: _b, AWS_SESSION_TOKEN: _c, ...env } = process.env
  const main = join(ROOT, 'dist/cli/headrace.cjs')
  const child = spawn(process.execPath, [main, 'dev', 's3', '--port', '0', ...args], { env: { ...env, ...more } })
  const exit = once(child, 'exit')
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  const last = args.includes('--json') ? '}\n' : 'SECRET_ACCESS_KEY=testsecret\n'
  while (child.exitCode === null && !output.includes(last)) await Promise.race([once(child.stdout, 'data'), exit])
  return {
    output: () => output,
    listening: () => JSON.parse(output) as Listening,
    async end(signal: NodeJS.Signals) {
      child.kill(signal)
      const [code] = await exit
      return { code: code as number | null, errors }
    },
  }
}

async function blobsOf(folder: string): Promise<number> {
  const names = await readdir(join(folder, 'blobs'), { recursive: true })
  return names.filter((name) => name.includes('/')).length
}

test('says where it listens and what to paste, that it is for development, and ends on Ctrl-C', async () => {
  const server = await started([])
  const text = server.output()
  const url = /AWS_ENDPOINT_URL=(.*)/.exec(text)?.[1] ?? ''
  const folder = /objects in (.*), which is removed/.exec(text)?.[1] ?? ''
  expect(text).toBe(
    [
      `S3 at ${url}, a development server: for tests and demos, not for data that matters`,
      `objects in ${folder}, which is removed at the end; Ctrl-C ends`,
      '',
      `export AWS_ENDPOINT_URL=${url}`,
      'export AWS_REGION=us-east-1',
      'export AWS_ACCESS_KEY_ID=testkey',
      'export AWS_SECRET_ACCESS_KEY=testsecret',
      '',
    ].join('\n'),
  )
  expect((await send(url, { method: 'PUT', path: '/bkt' })).status).toBe(200)
  expect((await stat(folder)).isDirectory()).toBe(true)
  expect(await server.end('SIGINT')).toEqual({ code: 0, errors: '' })
  await expect(stat(folder)).rejects.toMatchObject({ code: 'ENOENT' })
})

test('keys of the environment are the keys, and are not printed', async () => {
  const env = { AWS_ACCESS_KEY_ID: 'AKIAOTHER', AWS_SECRET_ACCESS_KEY: 'other-secret' }
  const server = await started(['--json'], env)
  const { url, environment } = server.listening()
  expect(environment).toEqual({ AWS_ENDPOINT_URL: url, AWS_REGION: 'us-east-1' })
  expect(server.output()).not.toContain('other-secret')
  const keys = { ...KEYS, accessKey: 'AKIAOTHER', secretKey: 'other-secret' }
  expect((await send(url, { method: 'GET', path: '/', keys })).status).toBe(200)
  expect((await send(url, { method: 'GET', path: '/' })).status).toBe(403)
  expect(await server.end('SIGTERM')).toEqual({ code: 0, errors: '' })
})

test('https with a certificate of its own that clients can trust, for localhost and every bucket under it', async () => {
  const server = await started(['--tls', '--json', '--dir', dir])
  const { url, environment } = server.listening()
  const ca = await readFile(environment.NODE_EXTRA_CA_CERTS ?? '', 'utf8')
  expect(environment.AWS_CA_BUNDLE).toBe(environment.NODE_EXTRA_CA_CERTS)
  const { port } = new URL(url)
  const statusAt = (servername: string) =>
    new Promise((resolve, reject) => {
      const target = new URL(presigned(url, { method: 'GET', path: '/' }))
      const headers = { host: `127.0.0.1:${port}` }
      const path = target.pathname + target.search
      const sent = request({ host: '127.0.0.1', port, path, ca, servername, headers, agent: false }, (response) => {
        response.resume().once('end', () => resolve(response.statusCode))
      })
      sent.once('error', reject).end()
    })
  expect(await statusAt('localhost')).toBe(200)
  expect(await statusAt('photos.localhost')).toBe(200)
  await expect(statusAt('example.com')).rejects.toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
  await server.end('SIGINT')
})

test('rules of faults come from a file, and the seed decides among them', async () => {
  const rules = join(dir, 'rules.json')
  await writeFile(
    rules,
    JSON.stringify([{ match: { op: 'ListBuckets' }, probability: 0.5, fault: { kind: 'slow-down' } }]),
  )
  const statuses = async (seed: string) => {
    const server = await started(['--json', '--faults', rules, '--seed', seed])
    const { url } = server.listening()
    const found: number[] = []
    for (let i = 0; i < 20; i++) found.push((await send(url, { method: 'GET', path: '/' })).status)
    await server.end('SIGINT')
    return found
  }
  const first = await statuses('7')
  expect(new Set(first)).toEqual(new Set([200, 503]))
  expect(await statuses('7')).toEqual(first)
  expect(await statuses('8')).not.toEqual(first)
})

test('what cannot be is one line and exit code 2, or 1 where the machine is to blame', async () => {
  const rules = join(dir, 'rules.json')
  await writeFile(rules, '[{"fault":{"kind":"stall","after":-1}}]')
  expect(await headrace('dev', 's3', '--faults', rules)).toEqual({
    code: 2,
    stdout: '',
    stderr:
      'headrace: faults[0].fault.after: Too small: expected number to be >=0 [E_USAGE]\nhint: docs/dev-server.md has the kinds of faults and what a rule may say\n',
  })
  expect(await headrace('dev', 's3', '--access-key', 'x')).toMatchObject({ code: 2, stdout: '' })
  expect(await headrace('dev', 's3', '--cert', rules, '--key', rules)).toMatchObject({ code: 2, stdout: '' })
  const { port, close } = await startS3Server()
  expect(await headrace('dev', 's3', '--port', String(port))).toMatchObject({
    code: 1,
    stderr: expect.stringContaining(`cannot listen at 127.0.0.1:${port}`),
  })
  await close()
})

/** Puts objects until the server is gone; what was confirmed, and what was tried. */
class Writers {
  readonly confirmed = new Set<string>()
  readonly tried = new Map<string, Buffer>()

  /** `n` writers at once; resolves when they have met the end. `confirmedOne` hears of every object. */
  async run(n: number, url: string, name: string, confirmedOne: () => void): Promise<void> {
    await Promise.all(Array.from({ length: n }, (_, writer) => this.#write(url, `${name}-${writer}`, confirmedOne)))
  }

  async #write(url: string, name: string, confirmedOne: () => void): Promise<void> {
    for (let i = 0; ; i++) {
      const key = `${name}-${i}`
      const body = Buffer.alloc(300_000 + i, `${key} `)
      this.tried.set(key, body)
      const answer = await send(url, { method: 'PUT', path: `/bkt/${key}`, body }).catch(() => undefined)
      if (answer?.status !== 200) return
      this.confirmed.add(key)
      confirmedOne()
    }
  }
}

test('killed in the middle of writes, it holds every confirmed object whole, and no half of any', async () => {
  const writers = new Writers()
  for (let round = 0; round < 4; round++) {
    const server = await started(['--dir', dir, '--json'])
    const { url } = server.listening()
    await send(url, { method: 'PUT', path: '/bkt' })
    let left = 5 + round
    let ended: Promise<unknown> | undefined
    await writers.run(4, url, `round${round}`, () => {
      if (--left <= 0) ended ??= server.end('SIGKILL')
    })
    await ended
  }
  const server = await startS3Server({ dir })
  const list = await send(server.url, { method: 'GET', path: '/bkt', query: { 'list-type': '2' } })
  const keys = [...list.text.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key = '']) => key)
  expect(writers.confirmed.size).toBeGreaterThanOrEqual(5 + 6 + 7 + 8)
  expect(keys).toEqual(expect.arrayContaining([...writers.confirmed]))
  for (const key of keys) {
    const { body } = await send(server.url, { method: 'GET', path: `/bkt/${key}` })
    expect(body.equals(writers.tried.get(key) ?? Buffer.alloc(0))).toBe(true)
  }
  // Bodies that were being written are swept away.
  expect(await blobsOf(dir)).toBe(keys.length)
  await server.close()
})
