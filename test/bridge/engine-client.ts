import { once } from 'node:events'
import { closeSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { HEADER_BYTES, newFrame } from '../../src/bridge/frames.ts'

/** A client of the bridge that knows nothing but the protocol's document. */

export interface Frame {
  readonly kind: number
  readonly payload: Buffer
}

export interface SentBatch {
  readonly number: number
  readonly layout: number
  readonly begin: number
  readonly bytes: number
  readonly step: number
  readonly epoch: number
  readonly size: number
  readonly padding: number
  readonly state: unknown
  readonly strings: Record<string, string[]> | undefined
}

export function batchOf({ kind, payload }: Frame): SentBatch {
  if (kind !== 2) throw new Error(`frame ${kind} is no batch: ${payload.subarray(0, 200)}`)
  const stateEnd = 48 + payload.readUInt32LE(44)
  return {
    number: payload.readUInt32LE(0),
    layout: payload.readUInt32LE(4),
    begin: Number(payload.readBigUInt64LE(8)),
    bytes: Number(payload.readBigUInt64LE(16)),
    step: Number(payload.readBigUInt64LE(24)),
    epoch: payload.readUInt32LE(32),
    size: payload.readUInt32LE(36),
    padding: payload.readUInt32LE(40),
    state: JSON.parse(payload.toString('utf8', 48, stateEnd)),
    strings: stateEnd < payload.length ? JSON.parse(payload.toString('utf8', stateEnd)) : undefined,
  }
}

export class EngineClient {
  readonly socket: Socket
  #bytes = Buffer.alloc(0)
  #ended = false
  #wake: () => void = () => {}

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk])
      this.#wake()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#ended = true
      this.#wake()
    })
  }

  static async open(address: string): Promise<EngineClient> {
    const [name = ''] = address.split('#')
    const socket = connect(name.replace(/^@/, '\0'))
    await once(socket, 'connect')
    return new EngineClient(socket)
  }

  /** Says hello; the client and the answer. */
  static async hello(
    address: string,
    hello: object,
  ): Promise<{ client: EngineClient; answer: Record<string, unknown> }> {
    const client = await EngineClient.open(address)
    const token = address.split('#')[1]
    client.socket.write(`${JSON.stringify({ protocol: 1, version: '0.1.0', token, ...hello })}\n`)
    return { client, answer: await client.line() }
  }

  async #until<T>(take: () => T | undefined): Promise<T> {
    for (;;) {
      const taken = take()
      if (taken !== undefined) return taken
      if (this.#ended) throw new Error('the connection ended')
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** undefined where the connection ends without one. */
  async line(): Promise<Record<string, unknown>> {
    const text = await this.#until(() => {
      const end = this.#bytes.indexOf('\n')
      if (end < 0) return undefined
      const line = this.#bytes.toString('utf8', 0, end)
      this.#bytes = this.#bytes.subarray(end + 1)
      return line
    })
    return JSON.parse(text) as Record<string, unknown>
  }

  frame(): Promise<Frame> {
    return this.#until(() => {
      if (this.#bytes.length < HEADER_BYTES) return undefined
      const end = HEADER_BYTES + this.#bytes.readUInt32LE(0)
      if (this.#bytes.length < end) return undefined
      const frame = { kind: this.#bytes.readUInt32LE(4), payload: this.#bytes.subarray(HEADER_BYTES, end) }
      this.#bytes = this.#bytes.subarray(end)
      return frame
    })
  }

  /** The next frame that is no layout. */
  async beyondLayouts(): Promise<Frame> {
    for (;;) {
      const frame = await this.frame()
      if (frame.kind !== 1) return frame
    }
  }

  /** Whether nothing comes for `ms`. */
  async isQuiet(ms = 100): Promise<boolean> {
    await new Promise((resolve) => setTimeout(resolve, ms))
    return this.#bytes.length === 0
  }

  async ended(): Promise<void> {
    await this.#until(() => (this.#ended ? true : undefined))
  }

  send(kind: number, payload: Uint8Array = new Uint8Array()): void {
    this.socket.write(frameOf(kind, payload))
  }

  start(): void {
    this.send(17)
  }

  release(number: number): void {
    const payload = Buffer.alloc(4)
    payload.writeUInt32LE(number)
    this.send(16, payload)
  }

  async call(call: object): Promise<Record<string, unknown>> {
    this.send(18, Buffer.from(JSON.stringify({ id: 1, ...call })))
    for (;;) {
      const { kind, payload } = await this.frame()
      if (kind === 6) return JSON.parse(payload.toString()) as Record<string, unknown>
    }
  }

  close(): void {
    this.socket.destroy()
  }
}

export function frameOf(kind: number, payload: Uint8Array = new Uint8Array()): Buffer {
  const frame = newFrame(kind, payload.length)
  frame.set(payload, HEADER_BYTES)
  return frame
}

/** Descriptors of slabs that a process has open. */
export function slabsOf(pid: number): string[] {
  const folder = `/proc/${pid}/fd`
  return readdirSync(folder)
    .map((name) => `${folder}/${name}`)
    .filter((path) => {
      try {
        return readlinkSync(path).startsWith('/memfd:headrace-slab')
      } catch {
        return false
      }
    })
}

/** What lies in the only slab of a process. */
export function readSlab(pid: number, offset: number, bytes: number): Buffer {
  const [path, more] = slabsOf(pid)
  if (path === undefined || more !== undefined) throw new Error('there is not one slab')
  const fd = openSync(path, 'r')
  try {
    const memory = Buffer.alloc(bytes)
    readSync(fd, memory, 0, bytes, offset)
    return memory
  } finally {
    closeSync(fd)
  }
}
