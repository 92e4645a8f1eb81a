/** Writes an op-log in a process of its own, for a test that kills it once a second has passed. */
import { setTimeout as sleep } from 'node:timers/promises'
import { OpLogWriter } from '../../../src/storage/oplog/writer.ts'

const [path = ''] = process.argv.slice(2)
const writer = await OpLogWriter.open(path)
const now = performance.timeOrigin + performance.now()
for (let i = 0; i < 1000; i++)
  writer.record({
    worker: 0,
    op: 'GET',
    objects: 1,
    bytes: 1,
    endpoint: '',
    url: 'mem://x/k',
    start: now,
    end: now + 1,
  })
await sleep(1500)
process.stdout.write('a second has passed\n')
for (let i = 0; i < 10; i++)
  writer.record({
    worker: 0,
    op: 'PUT',
    objects: 1,
    bytes: 1,
    endpoint: '',
    url: 'mem://x/k',
    start: now,
    end: now + 1,
  })
process.kill(process.pid, 'SIGSTOP')
