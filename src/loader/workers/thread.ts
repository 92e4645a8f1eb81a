import { setMaxListeners } from 'node:events'
import { parentPort, workerData } from 'node:worker_threads'
import { openDataset } from '../../datasets/open.ts'
import type { Dataset } from '../../datasets/types.ts'
import { native } from '../../native.ts'
import { failureData, failureOf } from '../../storage/threads/failure.ts'
import { LocalReader } from '../local-reader.ts'
import { ReadGate } from '../read-gate.ts'
import type { RowFailure } from '../reader.ts'
import { RowClock } from '../row-clock.ts'
import { packColumns } from './columns.ts'
import type { FromThread, PlaceRequest, ReadRequest, ThreadData, ToThread } from './messages.ts'

/** A worker thread of a loader: opens the dataset from its spec and reads what it is asked for. */

const { spec, manner, inflight } = workerData as ThreadData
const gate = new ReadGate(inflight)
const stops = new Map<number, AbortController>()
const underWay = new Set<Promise<void>>()
const opening = openDataset(spec)
// Each request has the failure for an answer.
opening.catch(() => {})

async function read(dataset: Dataset, { ids, clock, first, fields }: ReadRequest, stop: AbortController) {
  const rows = { ids, clock: new RowClock(ids.length, clock, first), stop }
  const { samples, failures } = await new LocalReader(dataset, gate, manner).read(rows, fields)
  return { failures, ...packColumns(samples, fields) }
}

async function place(dataset: Dataset, request: PlaceRequest, stop: AbortController) {
  const { ids, clock, first, field, memory, starts, sizes } = request
  let from = Infinity
  let to = 0
  for (const [row, start] of starts.entries()) {
    from = Math.min(from, start)
    to = Math.max(to, start + (sizes[row] as number))
  }
  const buffer = native.leaseShared(memory, from, to - from)
  try {
    const failures = await new LocalReader(dataset, gate, manner).readInto({
      ids,
      clock: new RowClock(ids.length, clock, first),
      stop,
      field,
      memory: (row) => new Uint8Array(buffer, (starts[row] as number) - from, sizes[row]),
    })
    return { failures }
  } finally {
    native.detach(buffer)
  }
}

async function answer(
  id: number,
  work: (stop: AbortController) => Promise<{ readonly failures: readonly RowFailure[] }>,
) {
  const stop = new AbortController()
  setMaxListeners(0, stop.signal)
  stops.set(id, stop)
  let message: FromThread
  const moved: ArrayBuffer[] = []
  try {
    const { failures, ...rest } = await work(stop)
    const failed = failures.map(({ row, error }) => ({ row, failure: failureData(error) }))
    message = { id, failures: failed, ...rest }
    if (message.bytes !== undefined) moved.push(message.bytes)
    if (stop.signal.aborted) message = { ...message, reason: failureData(stop.signal.reason) }
  } catch (error) {
    message = { id, failures: [], reason: failureData(error) }
  }
  stops.delete(id)
  try {
    parentPort?.postMessage(message, moved)
  } catch (error) {
    // A value that is no plain data.
    parentPort?.postMessage({ id, failures: [], reason: failureData(error) } satisfies FromThread)
  }
}

async function close(): Promise<void> {
  while (underWay.size > 0) await Promise.all(underWay)
  await opening.then((dataset) => dataset.close()).catch(() => {})
  parentPort?.close()
}

parentPort?.on('message', (message: ToThread) => {
  if (message === 'close') {
    void close()
    return
  }
  if ('cancel' in message) {
    stops.get(message.cancel)?.abort(failureOf(message.reason))
    return
  }
  if ('inflight' in message) {
    gate.limit = message.inflight
    return
  }
  const { id } = message
  const done = answer(id, async (stop) => {
    const dataset = await opening
    return 'read' in message ? read(dataset, message.read, stop) : place(dataset, message.place, stop)
  })
  underWay.add(done)
  void done.then(() => underWay.delete(done))
})
