import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { identity } from '../storage/http/certificate.ts'
import { serverProgram } from './programs.ts'

/** Keys of every server that is started here. */
export const KEYS = { accessKeyId: 'headrace-test', secretAccessKey: 'headrace-test-secret' } as const

export const versitygw = serverProgram('versitygw', {
  commandLine(port, folder) {
    const data = join(folder, 'data')
    mkdirSync(data)
    return ['--port', `127.0.0.1:${port}`, '--keep-alive', '--quiet', 'posix', data]
  },
  env: { ROOT_ACCESS_KEY: KEYS.accessKeyId, ROOT_SECRET_KEY: KEYS.secretAccessKey },
})

const MINIO_ENV = {
  MINIO_ROOT_USER: KEYS.accessKeyId,
  MINIO_ROOT_PASSWORD: KEYS.secretAccessKey,
  MINIO_BROWSER: 'off',
  MINIO_UPDATE: 'off',
}

const CERTIFICATES = 'certificates'
/** What clients of `minioTls` are to trust, in its folder. */
export const CERTIFICATE = join(CERTIFICATES, 'public.crt')

function minioLine(port: number, folder: string): readonly string[] {
  const certificates = join(folder, CERTIFICATES)
  mkdirSync(certificates)
  return ['server', '--quiet', '--certs-dir', certificates, '--address', `127.0.0.1:${port}`, join(folder, 'data')]
}

export const minio = serverProgram('minio', { commandLine: minioLine, env: MINIO_ENV })

export const minioTls = serverProgram('minio', {
  commandLine(port, folder) {
    const line = minioLine(port, folder)
    const { cert, key } = identity('localhost', 'DNS:localhost,IP:127.0.0.1')
    writeFileSync(join(folder, CERTIFICATE), cert)
    writeFileSync(join(folder, CERTIFICATES, 'private.key'), key)
    return line
  },
  env: MINIO_ENV,
  scheme: 'https',
})
