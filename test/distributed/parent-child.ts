/** A parent of ranks that is killed in tests. */
import { startRanks } from '../../src/distributed/index.ts'

const [ranks = '2', child = '', ...args] = process.argv.slice(2)
await startRanks({ ranks: Number(ranks), argv: [process.execPath, child, ...args] })
