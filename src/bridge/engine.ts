import { createServer, type Server, type Socket } from 'node:net'
import { fromSystemError } from '../errors.ts'
import { native } from '../native.ts'
import { type Address, newAddress } from './address.ts'
import { isOwn, PROTOCOL, serveConnection } from './connection.ts'
import type { Operation } from './types.ts'

/** How long the end waits for what connections leave behind, such as uploads that are taken back: ms. */
const END_GRACE = 500

export interface EngineOptions {
  /** What a hello may ask for, by its `op`. */
  readonly operations: Readonly<Record<string, Operation>>
  /** Of the package. */
  readonly version: string
}

/** What the process that starts an engine is told. */
export interface EngineFacts {
  readonly address: string
  readonly pid: number
  readonly protocol: number
  readonly version: string
  readonly node: string
}

/** Serves processes of this user until it is closed. */
export class Engine {
  readonly #server: Server
  readonly #address: Address
  readonly #version: string
  readonly #connections = new Map<Socket, Promise<void>>()

  private constructor(address: Address, { operations, version }: EngineOptions) {
    this.#address = address
    this.#version = version
    this.#server = createServer((socket) => {
      if (!isOwn(socket)) {
        socket.destroy()
        return
      }
      const served = serveConnection(socket, { token: address.token, version, operations })
      this.#connections.set(
        socket,
        served.finally(() => this.#connections.delete(socket)),
      )
    })
  }

  static async start(options: EngineOptions): Promise<Engine> {
    // Now, and not at the first client: who starts an engine is told why it cannot serve.
    native.info()
    const address = await newAddress()
    const engine = new Engine(address, options)
    await new Promise<void>((resolve, reject) => {
      engine.#server.once('error', (error) => reject(fromSystemError(error, 'the engine cannot listen')))
      engine.#server.listen(address.path, resolve)
    })
    return engine
  }

  get facts(): EngineFacts {
    return {
      address: this.#address.text,
      pid: process.pid,
      protocol: PROTOCOL,
      version: this.#version,
      node: process.version,
    }
  }

  /** Ends every connection, and waits a moment for what they leave behind. */
  async close(): Promise<void> {
    this.#server.close()
    const served = [...this.#connections.values()]
    for (const socket of this.#connections.keys()) socket.destroy()
    let timer: NodeJS.Timeout | undefined
    const grace = new Promise((resolve) => {
      timer = setTimeout(resolve, END_GRACE)
    })
    await Promise.race([Promise.all(served), grace])
    clearTimeout(timer)
    await this.#address.remove()
  }
}
