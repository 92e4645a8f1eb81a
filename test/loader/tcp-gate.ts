import net from 'node:net'

/** Passes connections on to a port of this machine, and counts requests that wait for the end of their answer. */
export interface TcpGate {
  readonly port: number
  /** The most connections that had asked and were still being answered at once. */
  peak: number
  close(): Promise<void>
}

export async function startTcpGate(target: number): Promise<TcpGate> {
  const busy = new Set<net.Socket>()
  const sockets = new Set<net.Socket>()
  const gate = {
    port: 0,
    peak: 0,
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  const server = net.createServer((client) => {
    const upstream = net.connect(target, '127.0.0.1')
    let left = 0
    sockets.add(client).add(upstream)
    client.on('data', (request) => {
      busy.add(client)
      gate.peak = Math.max(gate.peak, busy.size)
      left = -1
      upstream.write(request)
    })
    upstream.on('data', (answer) => {
      client.write(answer)
      let body = answer.length
      if (left < 0) {
        const head = answer.toString('latin1')
        body -= head.indexOf('\r\n\r\n') + 4
        left = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)
      }
      left -= body
      if (left === 0) busy.delete(client)
    })
    const end = () => {
      busy.delete(client)
      client.destroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) socket.on('error', end).on('close', end)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  gate.port = (server.address() as net.AddressInfo).port
  return gate
}
