import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Conversation } from '../vision/command.ts'
import { root } from '../vision/places.ts'
import { CLIENT_CORE } from './cores.ts'
import type { ObjectServer } from './object-server.ts'
import { type Cost, IN_FLIGHT, type Task } from './task.ts'

export const PEERS = ['s3dlio', 's3torchconnector', 'obstore', 'minio', 'boto3', 's5cmd'] as const
export type PeerName = (typeof PEERS)[number]

/** `headrace, new memory`: bodies of gets land in memory that is new each time, and not in the caller's. */
export type ClientName = 'headrace' | 'headrace, new memory' | PeerName

export interface Introduction {
  readonly name: ClientName
  /** '' of ours. */
  readonly version: string
  /** Why it is not measured. */
  readonly missing?: string
}

/** The Python of HEADRACE_PEERS that has the peers; see peers/install.sh. */
function peersPython(): string | undefined {
  const folder = process.env.HEADRACE_PEERS
  const python = folder ? join(folder, 'storage-venv', 'bin', 'python') : undefined
  return python !== undefined && existsSync(python) ? python : undefined
}

/** A process that does what it is asked to and says what it cost. */
export class Client {
  readonly introduction: Introduction
  readonly #conversation: Conversation

  private constructor(introduction: Introduction, conversation: Conversation) {
    this.introduction = introduction
    this.#conversation = conversation
  }

  static async #start(
    name: ClientName,
    command: readonly string[],
    env: Readonly<Record<string, string>>,
  ): Promise<Client> {
    const conversation = new Conversation(command, { cores: CLIENT_CORE, env })
    const said = await conversation.next<{ readonly version?: string; readonly error?: string }>()
    const version = name.startsWith('headrace') ? '' : (said.version ?? '')
    return new Client({ name, version, ...(said.error !== undefined && { missing: said.error }) }, conversation)
  }

  /** Ours; `options` are the store's. */
  static own(
    url: string,
    options: object,
    env: Readonly<Record<string, string>>,
    name: 'headrace' | 'headrace, new memory' = 'headrace',
  ): Promise<Client> {
    const program = join(dirname(fileURLToPath(import.meta.url)), 'own.js')
    const flags = name === 'headrace' ? [] : ['--new-memory']
    return Client.#start(name, [process.execPath, program, url, JSON.stringify(options), ...flags], env)
  }

  /** undefined where HEADRACE_PEERS has no peers at all. */
  static async peer(name: PeerName, server: ObjectServer): Promise<Client | undefined> {
    const python = peersPython()
    if (python === undefined) return undefined
    const script = join(root, 'bench', 'storage', 'peers', 'drive.py')
    const flags = ['--endpoint', server.endpoint, '--bucket', server.bucket, '--in-flight', String(IN_FLIGHT)]
    return Client.#start(name, [python, script, name, ...flags], { ...server.env, PYTHONDONTWRITEBYTECODE: '1' })
  }

  get name(): ClientName {
    return this.introduction.name
  }

  async carryOut(task: Task): Promise<Cost> {
    const answer = await this.#conversation.ask<Cost | { readonly error: string }>(task)
    if ('error' in answer) throw new Error(`${this.name}: ${answer.error}`)
    return answer
  }

  end(): Promise<void> {
    return this.#conversation.end()
  }
}
