import { availableParallelism } from 'node:os'
import { run } from './command.mjs'
import { single } from './report.mjs'

/** Packed coefficients against libjpeg, on a seeded few of what `make bench-exact` tries. */
export const exactness = {
  name: 'exactness',
  run: async () => {
    const outcome = await run([
      'make',
      '--no-print-directory',
      `-j${availableParallelism()}`,
      '-C',
      'native/exact',
      'check',
    ])
    const [note] = /^\d+ JPEGs, .*$/m.exec(outcome.output) ?? []
    return { ...single(outcome), ...(note === undefined ? {} : { note }) }
  },
}
