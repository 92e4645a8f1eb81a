import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Conversation } from './command.ts'
import { made, sources } from './places.ts'
import type { ImageSet } from './sets.ts'
import type { Timed } from './statistics.ts'

export type PeerName = 'ffcv' | 'slipstream' | 'torch'
export type PeerOperation = 'rrc' | 'center' | 'crop' | 'decode' | 'raw' | 'rrc-yuv'

interface Introduction {
  readonly version: string
  /** Of the samples in the peer's own file. */
  readonly storedBytes: number
}

type Answer = { readonly epochs: readonly Timed[] } | { readonly error: string }

/** Where HEADRACE_PEERS has FFCV and slipstream: venv/bin/python, and slipstream's checkout in src/slipstream. */
export function peersFolder(): string | undefined {
  const folder = process.env.HEADRACE_PEERS
  if (folder === undefined || folder === '') return undefined
  if (!existsSync(join(folder, 'venv', 'bin', 'python')))
    throw new Error(`HEADRACE_PEERS: there is no venv/bin/python in ${folder}`)
  return folder
}

/** An installed peer over one set, in a process of its own that keeps its loaders between requests. */
export class Peer {
  readonly name: PeerName
  readonly version: string
  readonly storedBytes: number
  readonly #conversation: Conversation

  private constructor(name: PeerName, { version, storedBytes }: Introduction, conversation: Conversation) {
    this.name = name
    this.version = version
    this.storedBytes = storedBytes
    this.#conversation = conversation
  }

  static async start(name: PeerName, folder: string, set: ImageSet): Promise<Peer> {
    const work = join(made, 'peers', `${set.name}-${set.images}-${name}`)
    const script = join(sources, 'peers', 'drive.py')
    const command = [join(folder, 'venv', 'bin', 'python'), script, name]
    const flags = ['--folder', set.folder, '--quality', String(set.quality), '--work', work]
    const conversation = new Conversation([...command, ...flags], {
      cores: '0',
      env: { PYTHONPATH: join(folder, 'src', 'slipstream'), OMP_NUM_THREADS: '1', PYTHONDONTWRITEBYTECODE: '1' },
    })
    return new Peer(name, await conversation.next<Introduction>(), conversation)
  }

  async time(operation: PeerOperation, batch: number, epochs: number): Promise<readonly Timed[]> {
    const answer = await this.#conversation.ask<Answer>({ operation, batch, epochs })
    if ('error' in answer) throw new Error(`${this.name} ${operation}, batch ${batch}: ${answer.error}`)
    return answer.epochs
  }

  end(): Promise<void> {
    return this.#conversation.end()
  }
}
