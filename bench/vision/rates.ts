import type { Preset } from 'headrace'
import type { Extent } from './extent.ts'
import { benchHeadrace } from './headrace.ts'
import { Peer, type PeerName, type PeerOperation, peersFolder } from './peers.ts'
import type { Rebuilt, RebuiltOperation } from './rebuilt.ts'
import type { ImageSet } from './sets.ts'
import { medianRate, type Rate, rateOf, type Timed } from './statistics.ts'

/** Who is measured: headrace, an installed peer, a peer's algorithm rebuilt, or plain memcpy. */
export type Tool = 'headrace' | PeerName | 'ffcv rebuilt' | 'slipstream rebuilt' | 'memcpy'

export interface Measured extends Rate {
  readonly operation: Preset
  readonly tool: Tool
  readonly batch: number
  /** Each round's images per second. */
  readonly rounds: readonly number[]
}

export interface SetRates {
  readonly set: ImageSet
  readonly measured: readonly Measured[]
  readonly peers: readonly { readonly name: PeerName; readonly version: string; readonly storedBytes: number }[]
}

interface Entrant {
  readonly operation: Preset
  readonly tool: Tool
  readonly batch: number
  run(): Promise<readonly Timed[]>
}

/** The peers' operations that answer to each of ours, each against its own kind. */
const OPERATIONS: readonly {
  readonly operation: Preset
  readonly peers: readonly (readonly [PeerName, PeerOperation])[]
  readonly rebuilt: readonly (readonly [Tool, RebuiltOperation])[]
}[] = [
  {
    operation: 'rrc',
    peers: [
      ['ffcv', 'rrc'],
      ['slipstream', 'rrc'],
    ],
    rebuilt: [
      ['ffcv rebuilt', 'ffcv-rrc'],
      ['slipstream rebuilt', 'slipstream-rrc'],
    ],
  },
  { operation: 'center', peers: [['ffcv', 'center']], rebuilt: [['ffcv rebuilt', 'ffcv-center']] },
  { operation: 'crop', peers: [['slipstream', 'crop']], rebuilt: [['slipstream rebuilt', 'slipstream-crop']] },
  { operation: 'decode', peers: [['slipstream', 'decode']], rebuilt: [['slipstream rebuilt', 'slipstream-decode']] },
  {
    operation: 'raw',
    peers: [
      ['ffcv', 'raw'],
      ['slipstream', 'raw'],
    ],
    rebuilt: [['memcpy', 'memcpy']],
  },
]

function entrants(set: ImageSet, peers: readonly Peer[], rebuilt: Rebuilt, extent: Extent): Entrant[] {
  return OPERATIONS.flatMap(({ operation, peers: installed, rebuilt: copies }) => {
    const epochs = operation === 'raw' ? extent.copyEpochs : extent.epochs
    const ours = extent.batches.map(
      (batch): Entrant => ({
        operation,
        tool: 'headrace',
        batch,
        run: async () => {
          const request = { cache: set.cache, pipeline: operation, batch, epochs, threads: 1, cores: '0' }
          return (await benchHeadrace(request)).epochs.slice(1)
        },
      }),
    )
    const theirs = installed.flatMap(([name, theirOperation]) =>
      peers
        .filter((peer) => peer.name === name)
        .flatMap((peer) =>
          extent.batches.map(
            (batch): Entrant => ({
              operation,
              tool: name,
              batch,
              run: () => peer.time(theirOperation, batch, epochs),
            }),
          ),
        ),
    )
    const plain = copies.map(
      ([tool, theirOperation]): Entrant => ({
        operation,
        tool,
        batch: 256,
        run: () => rebuilt.time(theirOperation, set.cache, epochs),
      }),
    )
    return [...ours, ...theirs, ...plain]
  })
}

/** Every tool in turn, round after round, all on core 0 with one thread; the median round of each, at its better batch. */
export async function measureRates(
  set: ImageSet,
  rebuilt: Rebuilt,
  extent: Extent,
  say: (line: string) => void,
): Promise<SetRates> {
  const folder = peersFolder()
  const peers: Peer[] = []
  try {
    if (folder !== undefined)
      for (const name of ['ffcv', 'slipstream'] as const) peers.push(await Peer.start(name, folder, set))
    const taking = entrants(set, peers, rebuilt, extent).map((entrant) => ({ entrant, rounds: [] as Rate[] }))
    for (let round = 0; round < extent.rounds; round++)
      for (const { entrant, rounds } of taking) {
        const rate = rateOf(await entrant.run())
        rounds.push(rate)
        const { operation, tool, batch } = entrant
        say(
          `${set.name} round ${round + 1}: ${operation} ${tool} (batch ${batch}) ${rate.imagesPerSecond.toFixed(0)}/s`,
        )
      }
    const best = new Map<string, Measured>()
    for (const { entrant, rounds } of taking) {
      const { operation, tool, batch } = entrant
      const result: Measured = {
        operation,
        tool,
        batch,
        ...medianRate(rounds),
        rounds: rounds.map((rate) => rate.imagesPerSecond),
      }
      const key = `${operation} ${tool}`
      if (result.imagesPerSecond > (best.get(key)?.imagesPerSecond ?? 0)) best.set(key, result)
    }
    return {
      set,
      measured: [...best.values()],
      peers: peers.map(({ name, version, storedBytes }) => ({ name, version, storedBytes })),
    }
  } finally {
    for (const peer of peers) await peer.end()
  }
}
