import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { root } from '../vision/places.ts'

/**
 * The way of batches from the engine to Python: rates, microseconds and memory, and the same hand-over by torch's
 * DataLoader where $HEADRACE_PYTHON (or python3) has it. `--quick` for a short run.
 */

const python = process.env.HEADRACE_PYTHON ?? 'python3'
const folder = join(root, 'bench', 'bridge')
const quick = process.argv.includes('--quick') ? ['--quick'] : []

type Fact = Readonly<Record<string, string | number | boolean>>

/** The JSON lines that a script prints, shown as they come. */
async function facts(script: string, args: readonly string[], environment: NodeJS.ProcessEnv): Promise<Fact[]> {
  const child = spawn(python, [join(folder, script), ...args], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const found: Fact[] = []
  for await (const line of createInterface(child.stdout)) {
    const fact = JSON.parse(line) as Fact
    found.push(fact)
    const numbers = Object.entries(fact).filter(([name]) => name !== 'name')
    const shown = numbers.map(
      ([name, value]) => `${name} ${typeof value === 'number' ? Number(value.toPrecision(4)) : value}`,
    )
    process.stdout.write(`${String(fact.name).padEnd(44)} ${shown.join('  ')}\n`)
  }
  if (child.exitCode === null) await once(child, 'exit')
  if (child.exitCode !== 0) throw new Error(`${script} failed`)
  return found
}

function has(module: string): boolean {
  return spawnSync(python, ['-c', `import ${module}`], { stdio: 'ignore' }).status === 0
}

const engine = spawn(process.execPath, [join(root, 'build', 'bench', 'bridge', 'ready-engine.js')], {
  stdio: ['pipe', 'pipe', 'inherit'],
})
const [line] = (await once(createInterface(engine.stdout), 'line')) as [string]
const { address, pid } = JSON.parse(line) as { address: string; pid: number }
const environment = {
  HEADRACE_ENGINE: address,
  HEADRACE_ENGINE_PID: String(pid),
  PYTHONPATH: [join(root, 'python'), folder].join(':'),
}
try {
  if (!existsSync(join(root, 'python', 'headrace')) || !has('numpy')) {
    process.stdout.write(`skipped: ${python} has no NumPy\n`)
  } else {
    const own = await facts('consume.py', quick, environment)
    for (const framework of ['torch', 'jax', 'tensorflow'])
      if (has(framework)) await facts('zero_copy.py', [framework === 'tensorflow' ? 'tf' : framework], environment)
    if (has('torch')) {
      const others = await facts('dataloader.py', quick, environment)
      const ours = own.find(({ name }) => name === 'ready, 38.5 MB, 4 slots')?.batchesPerSecond as number
      for (const { name, batchesPerSecond } of others)
        process.stdout.write(
          `handed over ${(ours / (batchesPerSecond as number)).toFixed(0)} times as fast as by ${name}\n`,
        )
    } else process.stdout.write(`skipped: ${python} has no torch to compare with\n`)
  }
} finally {
  engine.stdin.end()
}
