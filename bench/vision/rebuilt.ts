import { join } from 'node:path'
import { run, runJson } from './command.ts'
import { root, sources } from './places.ts'
import type { Timed } from './statistics.ts'

/** What rebuilt/main.cc can do. */
export type RebuiltOperation =
  | 'memcpy'
  | 'ffcv-rrc'
  | 'ffcv-rrc-own-resize'
  | 'islow-decode'
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
    const folder = join(root, 'build', 'bench', 'rebuilt')
    await run(['make', '--no-print-directory', '-C', join(sources, 'rebuilt'), `BUILD=${folder}`])
    return new Rebuilt(join(folder, 'rebuilt'))
  }

  async time(operation: RebuiltOperation, cache: string, epochs: number): Promise<readonly Timed[]> {
    const answer = await runJson<{ readonly epochs: readonly Timed[] }>(
      [this.#program, cache, operation, String(epochs)],
      { cores: '0' },
    )
    return answer.epochs
  }
}
