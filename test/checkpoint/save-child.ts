/** Saves and loads one large file in a process of its own, for tests of memory and of full disks. */
import { type CheckpointFile, loadCheckpoint, saveCheckpoint } from '../../src/checkpoint/index.ts'
import { isHeadraceError } from '../../src/errors.ts'

const [url = '', bytes = String(64 * 2 ** 20)] = process.argv.slice(2)
const file: CheckpointFile = {
  key: 'global_epoch1_step1/big.pt',
  tensors: [{ name: 'a', shape: [Number(bytes)], dtype: 'uint8' }],
  bytes: Number(bytes),
}
const base = process.memoryUsage.rss()
try {
  const saved = await saveCheckpoint({ url, files: [file] })
  const loaded = await loadCheckpoint({ url, files: [file], verify: 'noise' })
  // KiB
  const peak = process.resourceUsage().maxRSS * 1024
  process.stdout.write(`${JSON.stringify({ saved: saved.bytes, loaded: loaded.bytes, base, peak })}\n`)
} catch (error) {
  process.stdout.write(`${isHeadraceError(error) ? error.code : String(error)}\n`)
}
