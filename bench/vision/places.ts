import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Compiled, this file lies in build/bench/vision. */
export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..')

/** Sources that are not compiled with the rest. */
export const sources = join(root, 'bench', 'vision')

/** The command line of the package that is measured. */
export const cli = join(root, 'dist', 'cli', 'main.js')

/** What the benchmark makes for itself, once. */
export const made = join(root, 'build', 'bench-data')
