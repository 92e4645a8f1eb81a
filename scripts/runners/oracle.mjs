import { join } from 'node:path'
import { root, run } from './command.mjs'
import { installed, installVenv } from './installed.mjs'

/** Clients of others in test/oracle, which tests hold ours and our servers against: what is not there is skipped by them. */

const folder = join(root, 'test', 'oracle')
const NPM = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', '--prefix', folder]
/** Machines without a network need not wait for their registries longer. */
const LIMIT_MS = 120_000

const lock = join(folder, 'package-lock.json')
const requirements = join(folder, 'requirements.txt')

export const oracles = [
  installed('AWS SDK', join(folder, 'node_modules/.headrace'), lock, () => run(['npm', ...NPM], { limit: LIMIT_MS })),
  installed('boto3', join(folder, '.venv/.headrace'), requirements, () =>
    installVenv(join(folder, '.venv'), requirements, LIMIT_MS),
  ),
]
