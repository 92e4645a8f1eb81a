import { nonNegativeInteger, positiveInteger } from '../checks.ts'

/**
 * Whose files a rank reads after a restart on other hosts: those of the rank that stands at its place on the next host,
 * so that nothing comes from its own host's page cache. On one host its own.
 */
export function recoveryRank(rank: number, ranks: number, ranksPerHost: number): number {
  positiveInteger('ranks', ranks)
  nonNegativeInteger('rank', rank, ranks - 1)
  positiveInteger('ranksPerHost', ranksPerHost)
  return ranks < 2 * ranksPerHost ? rank : (rank + ranksPerHost) % ranks
}
