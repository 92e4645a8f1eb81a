import { readFileSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { show } from '../../checks.ts'
import { HeadraceError } from '../../errors.ts'

/** The files that AWS's own tools share: docs.aws.amazon.com/sdkref/latest/guide/file-format.html. */

export type Environment = Readonly<Record<string, string | undefined>>

/** What the files say of one profile; what the credentials file says wins. */
export interface Profile {
  readonly name: string
  /** Of the file in which the keys were found. */
  readonly path: string
  readonly values: Readonly<Record<string, string>>
}

/** Bytes; far above any real one. */
const MAX_FILE = 2 ** 20

function readFile(path: string): string | undefined {
  try {
    const { size } = statSync(path)
    if (size > MAX_FILE)
      throw new HeadraceError('E_LIMIT', `${path} has ${size} bytes, more than ${MAX_FILE}`, { path })
    return readFileSync(path, 'utf8')
  } catch (cause) {
    if (cause instanceof HeadraceError) throw cause
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw new HeadraceError('E_CONFIG', `cannot read ${path}: ${message}`, { path, cause })
  }
}

/** Sections of an ini file as AWS writes them. What is indented belongs to the setting above it and is passed over. */
export function parseProfiles(text: string): Map<string, Record<string, string>> {
  const sections = new Map<string, Record<string, string>>()
  let section: Record<string, string> | undefined
  for (const line of text.split(/\r?\n/)) {
    const [, heading] = /^\[\s*([^\]]*?)\s*\]/.exec(line) ?? []
    if (heading !== undefined) {
      const name = heading.replace(/\s+/g, ' ').replace(/^(profile )"(.*)"$/, '$1$2')
      section = sections.get(name) ?? Object.create(null)
      if (section !== undefined) sections.set(name, section)
      continue
    }
    const [, name, value] = /^([^\s#;=][^=]*?)\s*=\s*(.*?)\s*$/.exec(line) ?? []
    if (section !== undefined && name !== undefined && value !== undefined)
      section[name.toLowerCase()] = value.replace(/\s+[#;].*$/, '')
  }
  return sections
}

export function profileName(env: Environment): string {
  return env.AWS_PROFILE || env.AWS_DEFAULT_PROFILE || 'default'
}

/** A profile out of the shared files; undefined where neither has it. E_CONFIG if a file cannot be read. */
export function readProfile(name: string, env: Environment): Profile | undefined {
  const home = env.HOME || homedir()
  const credentialsPath = env.AWS_SHARED_CREDENTIALS_FILE || join(home, '.aws', 'credentials')
  const configPath = env.AWS_CONFIG_FILE || join(home, '.aws', 'config')
  const credentials = parseProfiles(readFile(credentialsPath) ?? '').get(name)
  const sections = parseProfiles(readFile(configPath) ?? '')
  const config = sections.get(`profile ${name}`) ?? (name === 'default' ? sections.get('default') : undefined)
  if (credentials === undefined && config === undefined) return undefined
  const path = credentials?.aws_access_key_id === undefined && config !== undefined ? configPath : credentialsPath
  return { name, path, values: { ...config, ...credentials } }
}

/** E_CONFIG: the profile that was asked for by name is nowhere. */
export function missingProfile(name: string, env: Environment): HeadraceError {
  const home = env.HOME || homedir()
  const places = [
    env.AWS_SHARED_CREDENTIALS_FILE || join(home, '.aws', 'credentials'),
    env.AWS_CONFIG_FILE || join(home, '.aws', 'config'),
  ]
  return new HeadraceError('E_CONFIG', `there is no profile ${show(name)} in ${places.join(' or ')}`, {
    hint: 'check the option profile and AWS_PROFILE',
  })
}
