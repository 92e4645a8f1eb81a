export { joinRanks } from './join.ts'
export type { RankOutput } from './rank-process.ts'
export { startRanks } from './start.ts'
export type { Communicator } from './types.ts'
