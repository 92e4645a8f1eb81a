import { show } from '../checks.ts'
import type { DatasetSpec } from '../datasets/spec.ts'
import type { Dataset } from '../datasets/types.ts'
import { HeadraceError } from '../errors.ts'

/** A dataset that a connection uses. */
export interface HeldDataset {
  readonly dataset: Dataset
  /** Once; it is closed when nobody holds it any more. */
  giveBack(): Promise<void>
}

interface Shared {
  readonly opened: Promise<Dataset>
  users: number
}

/** Datasets that connections use: what is opened from one spec by several at once is opened once. */
export class OpenDatasets {
  readonly #open: (spec: DatasetSpec) => Promise<Dataset>
  readonly #shared = new Map<string, Shared>()

  constructor(open: (spec: DatasetSpec) => Promise<Dataset>) {
    this.#open = open
  }

  async hold(spec: unknown): Promise<HeldDataset> {
    if (typeof spec !== 'object' || spec === null || Array.isArray(spec))
      throw new HeadraceError('E_USAGE', `dataset must be an object such as {"kind":"objects"}, but got ${show(spec)}`)
    const name = JSON.stringify(spec)
    const shared = this.#shared.get(name) ?? { opened: this.#open(spec as DatasetSpec), users: 0 }
    this.#shared.set(name, shared)
    shared.users++
    let held = true
    const giveBack = async () => {
      if (!held) return
      held = false
      shared.users--
      if (shared.users > 0) return
      // Who comes from now on opens it anew: it may have changed.
      if (this.#shared.get(name) === shared) this.#shared.delete(name)
      await (await shared.opened).close()
    }
    try {
      return { dataset: await shared.opened, giveBack }
    } catch (error) {
      this.#shared.delete(name)
      throw error
    }
  }
}
