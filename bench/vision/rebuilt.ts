import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { run, runJson } from './command.ts'
import { root, sources } from './places.ts'
import type { Timed } from './statistics.ts'

/** What rebuilt/main.cc can do. */
export type RebuiltOperation =
  | 'memcpy'
  | 'ffcv-rrc'
  | 'ffcv-center'
  | 'slipstream-rrc'
  | 'slipstream-crop'
  | 'slipstream-decode'

/** The peers' algorithms in plain C++, compiled here. */
export class Rebuilt {
  readonly #program: string

  private constructor(program: string) {
    this.#program = program
  }

  static async compile(): Promise<Rebuilt> {
    const program = join(root, 'build', 'bench', 'rebuilt')
    await mkdir(dirname(program), { recursive: true })
    const compiler = process.env.CXX ?? 'c++'
    await run([
      compiler,
      '-std=c++20',
      '-O3',
      '-march=native',
      join(sources, 'rebuilt', 'main.cc'),
      '-ljpeg',
      '-o',
      program,
    ])
    return new Rebuilt(program)
  }

  async time(operation: RebuiltOperation, cache: string, epochs: number): Promise<readonly Timed[]> {
    const answer = await runJson<{ readonly epochs: readonly Timed[] }>(
      [this.#program, cache, operation, String(epochs)],
      { cores: '0' },
    )
    return answer.epochs
  }
}
