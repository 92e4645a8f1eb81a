import { describe, expect, test } from 'vitest'
import { startS3Server } from '../../src/dev/s3/index.ts'
import { hasBoto, NO_BOTO, runPython } from '../oracle/python.ts'

const STEPS = ['objects', 'checksums', 'listings', 'parts', 'presigned', 'conditions', 'refusals', 'removal']
const all = STEPS.map((step) => `ok ${step}\n`).join('')

describe.skipIf(!hasBoto)(`boto3 against the dev server ${hasBoto ? '' : NO_BOTO}`.trimEnd(), () => {
  test('over http', async () => {
    const server = await startS3Server()
    expect(await runPython('boto.py', server.url)).toBe(all)
    await server.close()
  })

  test('over https', async () => {
    const server = await startS3Server({ tls: true })
    const url = `https://localhost:${server.port}`
    expect(await runPython('boto.py', url, server.certificate?.path ?? '')).toBe(all)
    await server.close()
  })
})
