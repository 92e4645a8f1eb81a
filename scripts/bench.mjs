import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './runners/command.mjs'

/** `make bench`: every *.bench.ts below bench/, or those of the folder that is named, compiled against the built package. */

const area = process.argv[2] ?? ''
const folder = join(root, 'bench', area)
const found = existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }) : []
const benchmarks = found.filter((name) => name.endsWith('.bench.ts')).sort()

/** @param {string} command @param {readonly string[]} args */
function runOrExit(command, args) {
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

if (benchmarks.length === 0) {
  console.error(`there are no benchmarks in ${join('bench', area)}`)
  process.exit(1)
}
runOrExit(join(root, 'node_modules', '.bin', 'tsc'), ['-p', 'bench'])
for (const name of benchmarks) runOrExit(process.execPath, [join('build', 'bench', area, name.replace(/\.ts$/, '.js'))])
