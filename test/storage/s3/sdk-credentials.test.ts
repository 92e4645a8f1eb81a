import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { built, DIST } from '../../cli/built.ts'
import { hasSdk, NO_SDK } from '../../oracle/sdk.ts'

const PACKAGE = '@aws-sdk/credential-provider-node'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headrace-sdk-credentials-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** What the built package finds in another process, where the SDK is installed. */
async function found(env: Readonly<Record<string, string>>): Promise<unknown> {
  const path = createRequire(new URL('../../oracle/', import.meta.url)).resolve(PACKAGE)
  const hook = `export const resolve = (name, context, next) =>
    name === '${PACKAGE}' ? { url: ${JSON.stringify(pathToFileURL(path).href)}, shortCircuit: true } : next(name, context)`
  const script = `
    import { register } from 'node:module'
    register('data:text/javascript,' + encodeURIComponent(${JSON.stringify(hook)}))
    const { credentialSource } = await import(${JSON.stringify(new URL('storage/s3/credentials.js', DIST).href)})
    try {
      console.log(JSON.stringify(await credentialSource({}, process.env).current()))
    } catch ({ code, message }) {
      console.log(JSON.stringify({ code, message }))
    }`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
    env: {
      PATH: process.env.PATH ?? '',
      AWS_CONFIG_FILE: join(folder, 'config'),
      AWS_SHARED_CREDENTIALS_FILE: join(folder, 'credentials'),
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
      ...env,
    },
  })
  return JSON.parse(stdout)
}

test.skipIf(!hasSdk)(`AWS's SDK finds what the files do not hold themselves ${hasSdk ? '' : NO_SDK}`, async () => {
  await built()
  const answer = { Version: 1, AccessKeyId: 'PID', SecretAccessKey: 'PSECRET', Expiration: '2999-01-01T00:00:00Z' }
  writeFileSync(join(folder, 'answer.json'), JSON.stringify(answer))
  writeFileSync(join(folder, 'config'), `[profile made]\ncredential_process = cat ${join(folder, 'answer.json')}\n`)
  expect(await found({ AWS_PROFILE: 'made' })).toEqual({
    accessKeyId: 'PID',
    secretAccessKey: 'PSECRET',
    source: PACKAGE,
    expires: Date.parse(answer.Expiration),
  })
  expect(await found({})).toEqual({
    code: 'E_CREDENTIALS',
    message: expect.stringContaining(`${PACKAGE} finds no credentials: `),
  })
})
