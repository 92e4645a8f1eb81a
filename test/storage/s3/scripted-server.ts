import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Heard {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

export interface Said {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  /** The connection ends without an answer. */
  readonly hangUp?: boolean
}

/** A server that answers what a test has it say, and tells what it was asked. */
export class ScriptedServer {
  readonly heard: Heard[] = []
  readonly #server: Server
  #script: (heard: Heard) => Said = () => ({ status: 500 })

  constructor() {
    this.#server = createServer((request, response) => void this.#answer(request, response))
  }

  async start(host = '127.0.0.1'): Promise<string> {
    await new Promise<void>((resolve, reject) => this.#server.once('error', reject).listen(0, host, resolve))
    return this.origin
  }

  get origin(): string {
    const { address, family, port } = this.#server.address() as AddressInfo
    return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
  }

  /** What it says from now on: by rule, or these answers one after the other, the last one for ever. */
  says(...answers: readonly [Said | ((heard: Heard) => Said), ...Said[]]): void {
    this.heard.length = 0
    const [first] = answers
    if (typeof first === 'function') this.#script = first
    else this.#script = () => (answers[Math.min(this.heard.length, answers.length) - 1] ?? first) as Said
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = ''
    for await (const chunk of request) body += (chunk as Buffer).toString('latin1')
    const heard = { method: request.method ?? '', url: request.url ?? '', headers: request.headers, body }
    this.heard.push(heard)
    const said = this.#script(heard)
    if (said.hangUp) {
      request.socket.destroy()
      return
    }
    const bytes = Buffer.from(said.body ?? '')
    response.writeHead(said.status ?? 200, { 'content-length': bytes.length, ...said.headers })
    response.end(request.method === 'HEAD' ? undefined : bytes)
  }
}

/** S3's document for an error. */
export function errorXml(code: string, more = ''): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>about ${code}</Message>${more}<RequestId>R1</RequestId></Error>`
}
