/** Trains on a rank in a process of its own, for tests that kill it: notes each step's ids and state once it is done. */
import { appendFileSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const [index, notes, spec] = process.argv.slice(2)
const { load } = await import(index)
const { length, pause, resumeFrom, ...options } = JSON.parse(spec)
const dataset = {
  length,
  schema: { x: { kind: 'number', dtype: 'float64' } },
  fingerprint: 'training',
  describe: (id) => `row ${id}`,
  read: async (id) => ({ x: id }),
  async close() {},
}
const resume = resumeFrom === undefined ? undefined : JSON.parse(readFileSync(resumeFrom, 'utf8'))
const loader = load(dataset, { ...options, ...(resume === undefined ? {} : { resume }) })
for await (const { meta, x } of loader) {
  await sleep(pause)
  appendFileSync(notes, `${JSON.stringify({ step: meta.step, ids: [...x.data], state: loader.state() })}\n`)
}
