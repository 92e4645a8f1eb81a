import { readFile } from 'node:fs/promises'
import { Command } from 'commander'
import { parseSize } from '../bytes.ts'
import {
  DEFAULT_KEYS,
  FAULT_KINDS,
  type FaultRule,
  type S3Server,
  type S3ServerOptions,
  startS3Server,
} from '../dev/s3/index.ts'
import { fromSystemError, HeadraceError } from '../errors.ts'
import { flag } from './flags.ts'
import { interrupted, print } from './run.ts'
import { countFromZero, given } from './values.ts'

interface Flags {
  dir?: string
  port: number
  host: string
  accessKey?: string
  secretKey?: string
  region: string
  tls?: boolean
  cert?: string
  key?: string
  faults?: string
  seed: number
  minPartSize?: string
  json?: boolean
}

export function devCommand(): Command {
  return new Command('dev').description('servers for development and tests').addCommand(s3())
}

function s3(): Command {
  return new Command('s3')
    .description('an S3 server for development and tests, never for data that matters; Ctrl-C ends it')
    .addOption(flag('--dir <folder>', 'where objects are kept', { shown: 'a temporary folder, removed at the end' }))
    .addOption(flag('--port <n>', '0: any that is free', { parse: countFromZero, default: 9900 }))
    .addOption(flag('--host <address>', 'address to listen at', { default: '127.0.0.1' }))
    .addOption(
      flag('--access-key <id>', 'of the one account', {
        shown: `AWS_ACCESS_KEY_ID, or else ${DEFAULT_KEYS.accessKey}`,
      }),
    )
    .addOption(
      flag('--secret-key <key>', 'of the one account', {
        shown: `AWS_SECRET_ACCESS_KEY, or else ${DEFAULT_KEYS.secretKey}`,
      }),
    )
    .addOption(flag('--region <name>', 'that requests must be signed for', { default: 'us-east-1' }))
    .option('--tls', 'https, with certificates of its own')
    .addOption(flag('--cert <file>', 'https, with this certificate (PEM)'))
    .addOption(flag('--key <file>', 'key of the certificate (PEM)'))
    .addOption(flag('--faults <file>', 'JSON list of what goes wrong on purpose'))
    .addOption(flag('--seed <n>', 'of what the rules choose by probability', { parse: countFromZero, default: 0 }))
    .addOption(flag('--min-part-size <size>', 'of every part of an upload but the last', { shown: '5MiB' }))
    .option('--json', 'say where it listens as one line of JSON')
    .addHelpText(
      'after',
      `
Kinds of faults: ${FAULT_KINDS.join(', ')}
Rules: [{ "match": { "op": "GetObject", "key": "train/*" }, "every": 10, "fault": { "kind": "stall", "ms": 200 } }]
       docs/dev-server.md has them all.

Example:
  headrace dev s3 --dir objects --port 9900`,
    )
    .action(serve)
}

async function readFileOf(name: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw fromSystemError(error, `cannot read ${name} ${path}`, { path })
  }
}

async function readRules(path: string): Promise<readonly FaultRule[]> {
  const text = await readFileOf('--faults', path)
  try {
    return JSON.parse(text) as readonly FaultRule[]
  } catch (error) {
    throw new HeadraceError('E_USAGE', `--faults ${path} is not JSON: ${(error as Error).message}`, { path })
  }
}

/** The account: from flags, or else the environment, where clients look too. */
function accountOf({ accessKey, secretKey }: Flags): Pick<S3ServerOptions, 'accessKey' | 'secretKey' | 'sessionToken'> {
  if (accessKey !== undefined || secretKey !== undefined) return given({ accessKey, secretKey })
  const { AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '', AWS_SESSION_TOKEN = '' } = process.env
  if (AWS_ACCESS_KEY_ID === '' && AWS_SECRET_ACCESS_KEY === '') return {}
  if (AWS_ACCESS_KEY_ID === '' || AWS_SECRET_ACCESS_KEY === '')
    throw new HeadraceError('E_CONFIG', 'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY belong together: only one is set')
  return {
    accessKey: AWS_ACCESS_KEY_ID,
    secretKey: AWS_SECRET_ACCESS_KEY,
    ...(AWS_SESSION_TOKEN === '' ? {} : { sessionToken: AWS_SESSION_TOKEN }),
  }
}

async function tlsOf({ tls, cert, key }: Flags) {
  if (cert === undefined && key === undefined) return tls === true ? { tls } : {}
  if (cert === undefined || key === undefined)
    throw new HeadraceError('E_USAGE', '--cert and --key belong together: only one was given')
  return { tls: { cert: await readFileOf('--cert', cert), key: await readFileOf('--key', key) } }
}

/** What clients read from their environment. Keys stand there only where they are the ones that everybody knows. */
function environmentOf({ url, certificate }: S3Server, region: string, known: boolean): readonly [string, string][] {
  return [
    ['AWS_ENDPOINT_URL', url],
    ['AWS_REGION', region],
    ...(known
      ? ([
          ['AWS_ACCESS_KEY_ID', DEFAULT_KEYS.accessKey],
          ['AWS_SECRET_ACCESS_KEY', DEFAULT_KEYS.secretKey],
        ] as const)
      : []),
    ...(certificate === undefined
      ? []
      : ([
          ['AWS_CA_BUNDLE', certificate.path],
          ['NODE_EXTRA_CA_CERTS', certificate.path],
        ] as const)),
  ].map(([name, value]) => [name, value])
}

function untilInterrupted(): Promise<void> {
  return new Promise((resolve) => {
    if (interrupted.aborted) resolve()
    else interrupted.addEventListener('abort', () => resolve(), { once: true })
  })
}

async function serve(flags: Flags): Promise<void> {
  const { dir, port, host, region, seed, faults, minPartSize } = flags
  const account = accountOf(flags)
  const server = await startS3Server({
    ...given({ dir, port, host, region, seed }),
    ...account,
    ...(await tlsOf(flags)),
    ...(faults === undefined ? {} : { faults: await readRules(faults) }),
    ...(minPartSize === undefined ? {} : { minPartSize: parseSize(minPartSize, '--min-part-size') }),
  })
  try {
    const environment = environmentOf(server, region, account.accessKey === undefined)
    if (flags.json === true) {
      const { url, dir: folder } = server
      const document = { url, port: server.port, dir: folder, environment: Object.fromEntries(environment) }
      process.stdout.write(`${JSON.stringify(document)}\n`)
    } else announce(server, environment, dir === undefined)
    await untilInterrupted()
  } finally {
    await server.close()
  }
}

function announce({ url, dir }: S3Server, environment: readonly [string, string][], temporary: boolean): void {
  print(`S3 at ${url}, a development server: for tests and demos, not for data that matters`)
  print(`objects in ${dir}${temporary ? ', which is removed at the end' : ''}; Ctrl-C ends`)
  print()
  for (const [name, value] of environment) print(`export ${name}=${shellWord(value)}`)
}

function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
