import { afterEach, beforeEach, expect } from 'vitest'
import { openHttpClient } from '../../../src/storage/http/client.ts'
import type { HttpClient, HttpClientOptions } from '../../../src/storage/http/types.ts'
import { ExactServer, type Received } from './server.ts'

/** A client for every test, and the server that it starts; no test leaves a socket open on either side. */
export class Fixture {
  client: HttpClient = openHttpClient()
  #server: ExactServer | undefined

  constructor() {
    beforeEach(() => this.open())
    afterEach(async () => {
      await this.client.close()
      expect(this.client.counters.openConnections).toBe(0)
      const server = this.#server
      this.#server = undefined
      if (server === undefined) return
      // A socket that is not read does not notice that the other end is closed.
      for (const socket of server.sockets) socket.removeAllListeners('data').resume()
      await expect.poll(() => server.sockets.size, { interval: 2 }).toBe(0)
      await server.close()
    })
  }

  open(options: Partial<HttpClientOptions> = {}): void {
    this.client = openHttpClient(options)
  }

  async serve(...options: Parameters<typeof ExactServer.start>): Promise<void> {
    this.#server = await ExactServer.start(...options)
  }

  /** Every request is answered with this. */
  serving(answer: string | Uint8Array): Promise<void> {
    return this.serve(({ socket }: Received) => socket.write(answer))
  }

  get server(): ExactServer {
    if (this.#server === undefined) throw new Error('the test has started no server')
    return this.#server
  }
}
