import { join } from 'node:path'
import { root } from './command.mjs'
import { installed, installVenv } from './installed.mjs'

/** The libraries that formats are known by, for test/interop: 2 GB with TensorFlow, hence only where they are asked for. */

const venv = join(root, 'build', 'interop-venv')
const requirements = join(root, 'test', 'interop', 'requirements.txt')
/** Half a GB is downloaded. */
const LIMIT_MS = 20 * 60_000

export const interopLibraries = installed('NumPy and so on', join(venv, '.headrace'), requirements, () =>
  installVenv(venv, requirements, LIMIT_MS),
)
