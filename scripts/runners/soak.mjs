import { join } from 'node:path'
import { run } from './command.mjs'
import { single } from './report.mjs'

/** Starting, and what is under way when the time is over. */
const SLACK_MS = 3 * 60_000

/** Whether the S3 client keeps to its memory, sockets and files: `seconds` of a mixed load. @returns {import('./report.mjs').Runner} */
export function soak(seconds) {
  return {
    name: 'soak',
    run: async () => {
      const built = await run(['tsc', '-p', 'test/soak', '--noCheck'])
      if (!built.ok) return single(built)
      const program = join('build', 'test', 'soak', 'soak.js')
      const line = [process.execPath, '--expose-gc', program, String(seconds)]
      const outcome = await run(line, { limit: seconds * 1000 + SLACK_MS })
      const note = /^\d+ s: .*$/m.exec(outcome.output)?.[0]
      return { ...single(outcome), ...(note === undefined ? {} : { note }) }
    },
  }
}
