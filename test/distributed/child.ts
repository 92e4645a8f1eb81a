/** One rank of a test: joins, does what its scenarios say (`one,other`), and tells the results as its last line. */
import { joinRanks } from '../../src/distributed/index.ts'
import { isHeadraceError } from '../../src/errors.ts'
import { scenarios } from './scenarios.ts'

const [name = '', ...args] = process.argv.slice(2)
const { TEST_TIMEOUT = '30000', TEST_COORDINATOR: coordinator } = process.env

try {
  const comm = await joinRanks({ timeout: Number(TEST_TIMEOUT), ...(coordinator !== undefined && { coordinator }) })
  const names = name.split(',')
  const results: Record<string, unknown> = {}
  for (const each of names) results[each] = await scenarios[each]?.(comm, ...args)
  const result = names.length === 1 ? results[name] : results
  if (name !== 'forgets') await comm.close()
  process.stdout.write(`result ${JSON.stringify(result)}\n`)
} catch (error) {
  const told = isHeadraceError(error)
    ? { code: error.code, message: error.message, ranks: error.details.ranks ?? [] }
    : { code: 'other', message: String(error), ranks: [] }
  process.stdout.write(`failed ${JSON.stringify(told)}\n`)
  process.exitCode = 1
}
