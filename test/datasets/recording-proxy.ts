import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A GET of an object as it was asked and answered. */
export interface HeardGet {
  readonly path: string
  /** First and last byte; absent: the whole. */
  readonly range?: readonly [number, number]
  /** Of the answer's body. */
  readonly bytes: number
}

export interface RecordingProxy {
  readonly url: string
  readonly gets: HeardGet[]
  close(): Promise<void>
}

/** Passes HTTP on and writes down which ranges of objects were asked for. Listings are left out. */
export async function recordingProxy(to: string): Promise<RecordingProxy> {
  const target = new URL(to)
  const gets: HeardGet[] = []
  const server = createServer((asked, answer) => {
    const { method, url: path = '', headers } = asked
    // The host stays as the client signed it.
    const passed = request({ host: target.hostname, port: target.port, method, path, headers }, (got) => {
      let bytes = 0
      got.on('data', (chunk: Buffer) => {
        bytes += chunk.length
      })
      got.on('end', () => {
        if (method !== 'GET' || path.includes('list-type')) return
        const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '') ?? []
        gets.push({ path, bytes, ...(first !== undefined && { range: [Number(first), Number(last)] as const }) })
      })
      answer.writeHead(got.statusCode ?? 502, got.headers)
      got.pipe(answer)
    })
    passed.on('error', () => answer.destroy())
    asked.pipe(passed)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    gets,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
