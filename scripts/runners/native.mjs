import { availableParallelism } from 'node:os'
import { missing, PACKAGES } from '../system-packages.mjs'
import { run } from './command.mjs'
import { counted, parseCounts, skipped } from './report.mjs'

/** The C++ tests, and a short run of the fuzzers. */

const make = ['make', '--no-print-directory', `-j${availableParallelism()}`, '-C']

export const nativeTests = {
  name: 'native tests',
  run: async () => {
    const outcome = await run([...make, 'native/test', 'test'])
    return counted(outcome, parseCounts(outcome.output))
  },
}

export const fuzzers = {
  name: 'fuzzers',
  run: async () => {
    const outcome = await run([...make, 'native/fuzz', 'short'])
    if (/^skipped: /m.test(outcome.output)) return skipped(missing(PACKAGES.clang))
    return counted(outcome, parseCounts(outcome.output))
  },
}
