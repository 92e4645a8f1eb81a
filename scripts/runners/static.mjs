import { run } from './command.mjs'
import { single } from './report.mjs'

/** Checks that read the code and the built package and run none of it. */

/** @param {string} name @param {readonly string[]} line @returns {import('./report.mjs').Runner} */
function check(name, line) {
  return { name, run: async () => single(await run(line)) }
}

export const staticChecks = [
  check('types', ['tsc', '--noEmit']),
  check('biome', ['biome', 'check', '--error-on-warnings']),
  check('layers', ['depcruise', '--output-type', 'err-long', 'src']),
  check('unused code', ['knip', '--no-progress']),
  check('publint', ['publint', '--strict']),
  check('package types', ['attw', '--pack', '.', '--profile', 'esm-only']),
  // As they are for someone with neither skipLibCheck nor @types/node.
  check('types alone', ['tsc', '-p', 'test/public-api/consumer.json']),
  check('documentation', ['typedoc']),
]
