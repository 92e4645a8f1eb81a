/**
 * @typedef {object} Result what a runner found
 * @property {number} passed
 * @property {number} failed
 * @property {number} skipped
 * @property {string} [output] shown where something failed
 * @property {readonly string[]} [left] what was skipped, a line each, with the reason where there is one
 * @property {string} [note] one line beside the result: why something was skipped, a figure
 *
 * @typedef {object} Runner
 * @property {string} name
 * @property {() => Promise<Result>} run
 */

/** One command that is right or wrong. @param {{ ok: boolean, output: string }} outcome @returns {Result} */
export function single({ ok, output }) {
  return { passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0, output }
}

/** @param {string} note why @returns {Result} */
export function skipped(note, count = 1) {
  return { passed: 0, failed: 0, skipped: count, note, left: [note] }
}

/**
 * Counts that a command printed itself. One that ends badly with nothing counted as failed still failed, and one that
 * counted nothing at all tested nothing.
 * @param {{ ok: boolean, output: string }} outcome
 * @param {{ passed: number, failed: number, skipped: number, left?: readonly string[] } | undefined} counts
 * @returns {Result}
 */
export function counted({ ok, output }, counts) {
  const found = counts ?? { passed: 0, failed: 0, skipped: 0 }
  const nothing = found.passed + found.failed + found.skipped === 0
  const failed = found.failed === 0 && (!ok || nothing) ? 1 : found.failed
  return { ...found, failed, output: ok && nothing ? `${output}\nno tests were counted\n` : output }
}

/** The last line of the form "N passed, N failed[, N skipped]" in what a program printed. @param {string} output */
export function parseCounts(output) {
  const last = [...output.matchAll(/^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?\s*$/gm)].at(-1)
  return last && { passed: Number(last[1]), failed: Number(last[2]), skipped: Number(last[3] ?? 0) }
}

/** @param {Result} result */
function describe({ passed, failed, skipped, note }) {
  const state = failed > 0 ? 'FAILED' : passed === 0 ? 'skipped' : 'ok'
  const numbers = passed + failed + skipped > 1 ? `${passed} passed, ${failed} failed, ${skipped} skipped` : ''
  return [state.padEnd(8), numbers, note ?? ''].filter((part) => part !== '').join('  ')
}

/**
 * Runs one after the other, one line each, the output of those that failed, what was skipped, and last the sum of all.
 * @param {readonly Runner[]} runners
 */
export async function report(runners) {
  const sum = { passed: 0, failed: 0, skipped: 0 }
  /** @type {string[]} */
  const left = []
  for (const { name, run } of runners) {
    const started = performance.now()
    const result = await run().catch((error) => single({ ok: false, output: String(error?.stack ?? error) }))
    const seconds = ((performance.now() - started) / 1000).toFixed(1)
    console.log(`${name.padEnd(20)} ${`${seconds} s`.padStart(8)}  ${describe(result)}`)
    if (result.failed > 0) console.log(`\n${(result.output ?? '').trim()}\n`)
    left.push(...(result.left ?? []).map((line) => `skipped: ${name}: ${line}`))
    sum.passed += result.passed
    sum.failed += result.failed
    sum.skipped += result.skipped
  }
  for (const line of left) console.log(line)
  console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`)
  process.exitCode = sum.failed > 0 ? 1 : 0
}
