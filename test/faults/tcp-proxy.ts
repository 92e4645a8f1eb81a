import net from 'node:net'

/** A proxy of TCP that misbehaves on demand, so that a client meets faults in front of a real server too. */

/** What becomes of a connection. Bytes are counted in one direction: `up` to the server, `down` from it. */
export type ProxyFault =
  /** Every piece is held back. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** After so many bytes nothing goes on in that direction for a time; without `ms` for ever. */
  | { readonly kind: 'stall'; readonly direction: Direction; readonly after: number; readonly ms?: number }
  /** After so many bytes both sides get RST; bytes before it arrive. */
  | { readonly kind: 'reset'; readonly direction: Direction; readonly after: number }
  /** After so many bytes the client gets FIN: what it had so far is all. */
  | { readonly kind: 'truncate'; readonly direction: Direction; readonly after: number }
  /** Ends in order as soon as it is there. */
  | { readonly kind: 'close' }
  /** RST as soon as it is there: as near to a refused connection as one port can be. */
  | { readonly kind: 'refuse' }
  /** Is accepted, and everything sent into it is lost. */
  | { readonly kind: 'black-hole' }

export type Direction = 'up' | 'down'

export interface ProxyRule {
  /** Share of the connections, chosen by the seed; 1. */
  readonly probability?: number
  /** Every n-th connection. */
  readonly every?: number
  /** No more often than that. */
  readonly times?: number
  /** Only after that many connections. */
  readonly skip?: number
  readonly fault: ProxyFault
}

export interface FaultProxy {
  readonly port: number
  /** Connections so far, and those that met a fault. */
  readonly connections: number
  readonly faults: number
  /** Connections that are open now. */
  readonly open: number
  close(): Promise<void>
}

/** Weyl's sequence through the finaliser of SplitMix: a number in [0, 1) of a seed and two counters. */
function chance(seed: number, rule: number, connection: number): number {
  let z = BigInt.asUintN(64, BigInt(seed) + 0x9e3779b97f4a7c15n * BigInt(1 + rule + 1024 * connection))
  z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n)
  z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn)
  return Number((z ^ (z >> 31n)) >> 11n) / 2 ** 53
}

class Rules {
  readonly #rules: readonly ProxyRule[]
  readonly #seed: number
  readonly #fired: number[]

  constructor(rules: readonly ProxyRule[], seed: number) {
    this.#rules = rules
    this.#seed = seed
    this.#fired = rules.map(() => 0)
  }

  /** The fault of the connection of that number, from 0: the first rule that fires. */
  faultOf(connection: number): ProxyFault | undefined {
    for (const [index, { probability = 1, every = 1, times = Infinity, skip = 0, fault }] of this.#rules.entries()) {
      const at = connection - skip
      const fired = this.#fired[index] ?? 0
      if (at < 0 || (at + 1) % every !== 0 || fired >= times) continue
      if (chance(this.#seed, index, connection) >= probability) continue
      this.#fired[index] = fired + 1
      return fault
    }
    return undefined
  }
}

/** Time for bytes that were passed on to arrive before RST overtakes them, in milliseconds. */
const FLUSH_MS = 10

/** Passes bytes one way and does to them what the fault says. */
class Lane {
  readonly #from: net.Socket
  readonly #to: net.Socket
  readonly #timers: Set<NodeJS.Timeout>
  readonly #fault: ProxyFault | undefined
  readonly #cut: (kind: 'reset' | 'truncate') => void
  #passed = 0
  #stopped = false
  #last: Promise<void> = Promise.resolve()

  constructor(
    from: net.Socket,
    to: net.Socket,
    timers: Set<NodeJS.Timeout>,
    fault: ProxyFault | undefined,
    cut: (kind: 'reset' | 'truncate') => void,
  ) {
    this.#from = from
    this.#to = to
    this.#timers = timers
    this.#fault = fault
    this.#cut = cut
    from.on('data', (bytes) => {
      from.pause()
      this.#last = this.#last.then(() => this.#pass(bytes)).then(() => void from.resume())
    })
    from.once('end', () => {
      void this.#last.then(() => {
        if (!this.#stopped) to.end()
      })
    })
  }

  async #pass(bytes: Buffer): Promise<void> {
    const fault = this.#fault
    if (this.#stopped) return
    if (fault?.kind === 'delay') await this.#sleep(fault.ms)
    const place = fault !== undefined && 'after' in fault ? fault.after - this.#passed : Infinity
    if (place > bytes.length) return this.#write(bytes)
    if (place >= 0) {
      await this.#write(bytes.subarray(0, place))
      await this.#atPlace()
    }
    if (!this.#stopped) await this.#write(bytes.subarray(Math.max(0, place)))
  }

  async #atPlace(): Promise<void> {
    const fault = this.#fault
    if (fault?.kind === 'stall') {
      this.#stopped = fault.ms === undefined
      if (fault.ms !== undefined) await this.#sleep(fault.ms)
    } else if (fault?.kind === 'reset' || fault?.kind === 'truncate') {
      this.#stopped = true
      await this.#sleep(FLUSH_MS)
      this.#cut(fault.kind)
    }
  }

  #write(bytes: Buffer): Promise<void> {
    this.#passed += bytes.length
    if (bytes.length === 0 || this.#to.destroyed || this.#to.write(bytes)) return Promise.resolve()
    return new Promise((resolve) => {
      const done = () => {
        this.#to.off('drain', done).off('close', done)
        this.#from.off('close', done)
        resolve()
      }
      this.#to.once('drain', done).once('close', done)
      this.#from.once('close', done)
    })
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#timers.delete(timer)
        resolve()
      }, ms)
      this.#timers.add(timer)
    })
  }
}

/** RST to a side that is there, or that will never be. */
function reset(socket: net.Socket): void {
  if (!socket.destroyed && !socket.connecting) socket.resetAndDestroy()
  else socket.destroy()
}

/** Faults of connections that the server never hears of. */
function endsHere(client: net.Socket, fault: ProxyFault | undefined): boolean {
  if (fault?.kind === 'refuse') reset(client)
  else if (fault?.kind === 'close') client.end()
  else if (fault?.kind === 'black-hole') client.resume()
  else return false
  return true
}

/** One connection of a client, and the one to the server that it is passed on to. */
function passOn(client: net.Socket, target: number, fault: ProxyFault | undefined, timers: Set<NodeJS.Timeout>): void {
  client.on('error', () => {})
  if (endsHere(client, fault)) return
  const server = net.connect({ port: target, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
  server.on('error', () => reset(client))
  client.once('close', () => server.destroy())
  server.once('close', () => client.destroySoon())
  const cut = (kind: 'reset' | 'truncate') => {
    reset(server)
    if (kind === 'reset') reset(client)
    else client.destroySoon()
  }
  const affects = (direction: Direction) =>
    fault !== undefined && (!('direction' in fault) || fault.direction === direction) ? fault : undefined
  new Lane(client, server, timers, affects('up'), cut)
  new Lane(server, client, timers, affects('down'), cut)
}

/** Starts a proxy in front of a port of this machine. The same connections in the same order meet the same faults. */
export async function startFaultProxy(
  targetPort: number,
  rules: readonly ProxyRule[] = [],
  seed = 0,
): Promise<FaultProxy> {
  const chosen = new Rules(rules, seed)
  const clients = new Set<net.Socket>()
  const timers = new Set<NodeJS.Timeout>()
  const counts = { connections: 0, faults: 0 }
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const fault = chosen.faultOf(counts.connections++)
    if (fault !== undefined) counts.faults++
    clients.add(client)
    client.once('close', () => clients.delete(client))
    passOn(client, targetPort, fault, timers)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve)
  })
  return {
    port: (server.address() as net.AddressInfo).port,
    get connections() {
      return counts.connections
    },
    get faults() {
      return counts.faults
    },
    get open() {
      return clients.size
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      for (const client of clients) client.destroy()
      for (const timer of timers) clearTimeout(timer)
      await closed
    },
  }
}
