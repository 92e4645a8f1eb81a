import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { CredentialSource, credentialSource } from '../../../src/storage/s3/credentials.ts'
import { s3Config } from '../../../src/storage/s3/options.ts'
import { parseProfiles } from '../../../src/storage/s3/profiles.ts'
import { withoutPrivileges } from '../../unprivileged.ts'
import { failing } from '../conformance.ts'

let folder: string
let files: { AWS_SHARED_CREDENTIALS_FILE: string; AWS_CONFIG_FILE: string }
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headrace-credentials-'))
  files = {
    AWS_SHARED_CREDENTIALS_FILE: join(folder, 'credentials'),
    AWS_CONFIG_FILE: join(folder, 'config'),
  }
})
afterEach(() => rmSync(folder, { recursive: true }))

const KEYS = { AWS_ACCESS_KEY_ID: 'ENVID', AWS_SECRET_ACCESS_KEY: 'ENVSECRET' }

function inFiles(credentials: string, config = '') {
  writeFileSync(files.AWS_SHARED_CREDENTIALS_FILE, credentials)
  writeFileSync(files.AWS_CONFIG_FILE, config)
}

async function found(options: Parameters<typeof credentialSource>[0], env: Readonly<Record<string, string>> = {}) {
  return await credentialSource(options, { ...files, ...env }).current()
}

describe('credentials', () => {
  test('come from the options first', async () => {
    const credentials = { accessKeyId: 'a', secretAccessKey: 's', sessionToken: 't' }
    expect(await found({ credentials }, KEYS)).toEqual({ ...credentials, source: 'the option credentials' })
    const provider = async () => ({ ...credentials, expiration: new Date(5000) })
    expect(await found({ credentials: provider }, KEYS)).toEqual({
      ...credentials,
      source: 'the option credentials',
      expires: 5000,
    })
  })

  test('come from the environment before files', async () => {
    inFiles('[default]\naws_access_key_id=FILEID\naws_secret_access_key=FILESECRET')
    expect(await found({}, KEYS)).toEqual({
      accessKeyId: 'ENVID',
      secretAccessKey: 'ENVSECRET',
      source: 'AWS_ACCESS_KEY_ID',
    })
    expect(await found({}, { ...KEYS, AWS_SESSION_TOKEN: 'TOKEN' })).toMatchObject({ sessionToken: 'TOKEN' })
  })

  test('half a pair in the environment is named', async () => {
    await expect(found({}, { AWS_ACCESS_KEY_ID: 'x' })).rejects.toEqual(
      failing('E_CREDENTIALS', 'AWS_SECRET_ACCESS_KEY is not'),
    )
    await expect(found({}, { AWS_SECRET_ACCESS_KEY: 'x' })).rejects.toEqual(
      failing('E_CREDENTIALS', 'AWS_ACCESS_KEY_ID is not'),
    )
  })

  test('come from the profile that is asked for, by option before the environment', async () => {
    inFiles(
      '[default]\naws_access_key_id=D\naws_secret_access_key=DS\n[work]\naws_access_key_id = W ; mine\naws_secret_access_key = WS\naws_session_token=WT',
      '[profile other]\naws_access_key_id=O\naws_secret_access_key=OS',
    )
    const at = (name: string, path: string) => `profile "${name}" in ${path}`
    expect(await found({})).toMatchObject({
      accessKeyId: 'D',
      source: at('default', files.AWS_SHARED_CREDENTIALS_FILE),
    })
    expect(await found({}, { AWS_PROFILE: 'work' })).toEqual({
      accessKeyId: 'W',
      secretAccessKey: 'WS',
      sessionToken: 'WT',
      source: at('work', files.AWS_SHARED_CREDENTIALS_FILE),
    })
    expect(await found({ profile: 'other' }, { ...KEYS, AWS_PROFILE: 'work' })).toEqual({
      accessKeyId: 'O',
      secretAccessKey: 'OS',
      source: at('other', files.AWS_CONFIG_FILE),
    })
    await expect(found({ profile: 'nobody' })).rejects.toEqual(failing('E_CONFIG', '"nobody"', folder))
  })

  test('that are nowhere say where was looked, and what could be installed', async () => {
    await expect(found({})).rejects.toEqual(
      expect.objectContaining({
        code: 'E_CREDENTIALS',
        message: 'there are no S3 credentials in the options, in AWS_ACCESS_KEY_ID or in profile "default"',
        details: { hint: expect.stringContaining('npm install @aws-sdk/credential-provider-node') },
      }),
    )
    inFiles('', '[profile role]\nrole_arn=arn:aws:iam::1:role/x\nsource_profile=default')
    await expect(found({ profile: 'role' })).rejects.toEqual(failing('E_CREDENTIALS', '"role"'))
  })

  test('that no header can hold are refused without being quoted', async () => {
    const credentials = { accessKeyId: 'a', secretAccessKey: 'secret\nline' }
    expect(() => credentialSource({ credentials }, {})).toThrow(
      expect.objectContaining({ code: 'E_CREDENTIALS', message: expect.not.stringContaining('line') }),
    )
  })

  test('in a file that may not be read: it is named', async () => {
    inFiles('[default]')
    chmodSync(folder, 0o755)
    chmodSync(files.AWS_SHARED_CREDENTIALS_FILE, 0)
    await withoutPrivileges(async () => {
      await expect(found({})).rejects.toEqual(failing('E_CONFIG', files.AWS_SHARED_CREDENTIALS_FILE, 'permission'))
    })
  })

  test('the region of the profile is that of the store', () => {
    inFiles('', '[default]\nregion = eu-north-1\n[profile work]\nregion=eu-south-1')
    expect(s3Config('b', {}, { ...files }).region).toBe('eu-north-1')
    expect(s3Config('b', { profile: 'work' }, { ...files }).region).toBe('eu-south-1')
    expect(s3Config('b', {}, { ...files, AWS_PROFILE: 'work', AWS_REGION: 'x-1' }).region).toBe('x-1')
  })
})

describe('temporary credentials', () => {
  const credentials = (n: number, expires: number) => ({
    accessKeyId: `id${n}`,
    secretAccessKey: 's',
    source: 'test',
    expires,
  })
  const minute = 60_000

  test('are loaded once for all who ask, and used as long as they are good', async () => {
    let loads = 0
    const source = new CredentialSource(async () => credentials(++loads, 60 * minute))
    const all = await Promise.all(Array.from({ length: 10 }, () => source.current(0)))
    expect(new Set(all.map((each) => each.accessKeyId))).toEqual(new Set(['id1']))
    expect(source.current(54 * minute)).toMatchObject({ accessKeyId: 'id1' })
    expect(loads).toBe(1)
  })

  test('are refreshed five minutes before they expire, without anybody waiting', async () => {
    let loads = 0
    const source = new CredentialSource(async () => credentials(++loads, loads * 60 * minute))
    await source.current(0)
    expect(source.current(56 * minute)).toMatchObject({ accessKeyId: 'id1' })
    await new Promise(setImmediate)
    expect(source.current(57 * minute)).toMatchObject({ accessKeyId: 'id2' })
    expect(loads).toBe(2)
  })

  test('a refresh that fails costs nothing before they expire, and is told then', async () => {
    let works = true
    const source = new CredentialSource(async () => {
      if (!works) throw new Error('no')
      return credentials(1, 60 * minute)
    })
    await source.current(0)
    works = false
    expect(source.current(58 * minute)).toMatchObject({ accessKeyId: 'id1' })
    await new Promise(setImmediate)
    await expect(source.current(61 * minute)).rejects.toThrow('no')
    works = true
    expect(await source.current(61 * minute)).toMatchObject({ accessKeyId: 'id1' })
  })

  test('that the server calls expired are loaded again, once for the same ones', async () => {
    let loads = 0
    const source = new CredentialSource(async () => credentials(++loads > 1 ? 2 : 1, 60 * minute))
    const first = await source.current(0)
    expect(source.reject(first)).toBe(true)
    const second = await source.current(0)
    expect(second.accessKeyId).toBe('id2')
    expect(source.reject(second)).toBe(true)
    const third = await source.current(0)
    expect(third).toBe(second)
    expect(source.reject(third)).toBe(false)
  })
})

test('profiles are read as AWS writes them', () => {
  const text = `# a comment
[default]
aws_access_key_id = A
s3 =
  max_concurrent_requests = 20
region=us-west-2 # here
[ profile "with space" ]
KEY = value = with equals
; another
[default]
output = json
not a setting
[__proto__]
x = y
`
  const profiles = parseProfiles(text.replaceAll('\n', '\r\n'))
  expect([...profiles.keys()]).toEqual(['default', 'profile with space', '__proto__'])
  expect({ ...profiles.get('default') }).toEqual({
    aws_access_key_id: 'A',
    s3: '',
    region: 'us-west-2',
    output: 'json',
  })
  expect({ ...profiles.get('profile with space') }).toEqual({ key: 'value = with equals' })
})
