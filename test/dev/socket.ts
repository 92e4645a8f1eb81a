import net from 'node:net'
import { type Sent, sign } from './signed.ts'

/** What a connection gave, to its end or for as long as one waited. */
export interface Received {
  readonly bytes: Buffer
  readonly end: 'fin' | 'rst' | 'open'
  /** Milliseconds to the first byte; undefined where none came. */
  readonly firstByte: number | undefined
  /** Milliseconds to the end of the connection, or of the waiting. */
  readonly ms: number
}

/** A signed request as the bytes of a connection. */
export function requestBytes(url: string, sent: Sent): Buffer {
  const { target, headers } = sign(url, sent)
  const body = Buffer.from(sent.body ?? '')
  const fields: Record<string, string> = { 'content-length': String(body.length), ...headers }
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.concat([Buffer.from(`${sent.method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n`), body])
}

/** Sends bytes over a connection of its own and takes what comes. `wait`: milliseconds after which it is given up. */
export function overSocket(url: string, bytes: Uint8Array | readonly Uint8Array[], wait = 2000): Promise<Received> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve) => {
    const pieces: Buffer[] = []
    const started = performance.now()
    let firstByte: number | undefined
    const socket = net.connect({ port: Number(port), host: hostname, allowHalfOpen: true })
    const finish = (end: Received['end']) => {
      clearTimeout(timer)
      socket.destroy()
      resolve({ bytes: Buffer.concat(pieces), end, firstByte, ms: performance.now() - started })
    }
    const timer = setTimeout(() => finish('open'), wait)
    socket.on('data', (piece) => {
      firstByte ??= performance.now() - started
      pieces.push(piece)
    })
    // Where RST comes right behind bytes, libuv may call it the end of them. Only after FIN can one still write.
    socket.once('end', () => socket.write('\n', (error) => finish(error ? 'rst' : 'fin')))
    socket.on('error', () => finish('rst'))
    for (const piece of Array.isArray(bytes) ? bytes : [bytes]) socket.write(piece as Uint8Array)
  })
}

export interface Parsed {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** All that came behind the head. */
  readonly body: Buffer
}

/** Head and rest of one answer. */
export function parseAnswer(bytes: Buffer): Parsed {
  const cut = bytes.indexOf('\r\n\r\n')
  const [status = '', ...fields] = bytes.subarray(0, cut).toString('latin1').split('\r\n')
  const headers = fields.map((field) => {
    const colon = field.indexOf(':')
    return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()]
  })
  return { status: Number(status.split(' ')[1]), headers: Object.fromEntries(headers), body: bytes.subarray(cut + 4) }
}
