import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram, type RunningServer, startServer } from './programs.ts'

/** Keys of every server that is started here. */
export const KEYS = { accessKeyId: 'headrace-test', secretAccessKey: 'headrace-test-secret' } as const

export interface S3Program {
  readonly name: string
  /** undefined: not installed. */
  readonly path: string | undefined
  start(): Promise<RunningServer>
}

function program(
  name: string,
  commandLine: (port: number, folder: string) => readonly string[],
  env: Readonly<Record<string, string>>,
): S3Program {
  const path = findProgram(name)
  return { name, path, start: () => startServer(path ?? name, commandLine, env) }
}

export const versitygw = program(
  'versitygw',
  (port, folder) => {
    const data = join(folder, 'data')
    mkdirSync(data)
    return ['--port', `127.0.0.1:${port}`, '--keep-alive', '--quiet', 'posix', data]
  },
  { ROOT_ACCESS_KEY: KEYS.accessKeyId, ROOT_SECRET_KEY: KEYS.secretAccessKey },
)

export const minio = program(
  'minio',
  (port, folder) => ['server', '--quiet', '--address', `127.0.0.1:${port}`, join(folder, 'data')],
  {
    MINIO_ROOT_USER: KEYS.accessKeyId,
    MINIO_ROOT_PASSWORD: KEYS.secretAccessKey,
    MINIO_BROWSER: 'off',
    MINIO_UPDATE: 'off',
  },
)
