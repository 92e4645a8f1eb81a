import { parentPort, workerData } from 'node:worker_threads'
import { native } from '../../native.ts'
import { openStoreSpec } from '../spec.ts'
import { clock } from './clock.ts'
import { Desk } from './desk.ts'
import type { ThreadData, ToThread } from './messages.ts'

/** A worker thread of a store: opens a store of its own and answers what it is asked. */

const { spec, secrets, memory, clock: theirs } = workerData as ThreadData

if (parentPort !== null) {
  const store = openStoreSpec({ ...spec, options: { ...spec.options, ...secrets } })
  const desk = new Desk(store, new Uint8Array(native.leaseShared(memory)), clock() - theirs, parentPort)
  parentPort.on('message', (messages: ToThread) => {
    for (const message of messages) desk.take(message)
  })
  // The caller's process tells warnings, once and in its own way.
  process.removeAllListeners('warning')
  process.on('warning', (warning) => desk.warn(warning))
}
