import { connect, type Socket } from 'node:net'
import type { EngineFacts } from '../../src/bridge/index.ts'

/** What a response says, and its bytes. */
export interface Response {
  readonly head: Readonly<Record<string, unknown>>
  readonly body: Buffer
}

const PREFIX = 12
const REQUEST = 32
const RESPONSE = 33

/** A client of an engine's stores, written from docs/bridge.md: it shares no line with the engine. */
export class StoreClient {
  readonly socket: Socket
  #kept = Buffer.alloc(0)
  readonly #responses: Response[] = []
  #wake: () => void = () => {}
  closed = false

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('error', () => {})
    socket.on('close', () => {
      this.closed = true
      this.#wake()
    })
  }

  static async open({ address }: EngineFacts, options: object = {}): Promise<StoreClient> {
    const [name = '', token = ''] = address.split('#')
    const socket = connect(`\0${name.slice(1)}`)
    socket.write(`${JSON.stringify({ protocol: 1, version: '0', token, op: 'store', options })}\n`)
    const line = await new Promise<string>((resolve, reject) => {
      let text = ''
      socket.on('error', reject)
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString()
        if (!text.endsWith('\n')) return
        socket.removeAllListeners('data')
        resolve(text)
      })
    })
    const answer = JSON.parse(line) as { ok: boolean; code?: string; message?: string }
    if (!answer.ok) throw Object.assign(new Error(answer.message), { code: answer.code })
    const client = new StoreClient(socket)
    socket.on('data', (chunk: Buffer) => client.#push(chunk))
    return client
  }

  static request(head: object, body: Uint8Array = new Uint8Array()): Buffer {
    const text = Buffer.from(JSON.stringify(head))
    const prefix = Buffer.alloc(PREFIX)
    prefix.writeUInt32LE(4 + text.length + body.length, 0)
    prefix.writeUInt8(REQUEST, 4)
    prefix.writeUInt32LE(text.length, 8)
    return Buffer.concat([prefix, text, body])
  }

  send(head: object, body?: Uint8Array): void {
    this.socket.write(StoreClient.request(head, body))
  }

  /** The next response; undefined where the connection ended. */
  async next(): Promise<Response | undefined> {
    while (this.#responses.length === 0 && !this.closed)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    return this.#responses.shift()
  }

  async ask(head: object, body?: Uint8Array): Promise<Response> {
    this.send({ id: 1, ...head }, body)
    const response = await this.next()
    if (response === undefined) throw new Error('the engine hung up')
    return response
  }

  close(): void {
    this.socket.destroy()
  }

  #push(chunk: Buffer): void {
    this.#kept = Buffer.concat([this.#kept, chunk])
    while (this.#kept.length >= PREFIX) {
      const payload = this.#kept.readUInt32LE(0)
      if (this.#kept.readUInt8(4) !== RESPONSE) throw new Error('what came is no response')
      if (this.#kept.length < 8 + payload) break
      const headBytes = this.#kept.readUInt32LE(8)
      const head = JSON.parse(this.#kept.subarray(PREFIX, PREFIX + headBytes).toString()) as Response['head']
      this.#responses.push({ head, body: Buffer.from(this.#kept.subarray(PREFIX + headBytes, 8 + payload)) })
      this.#kept = this.#kept.subarray(8 + payload)
    }
    this.#wake()
  }
}
