import type { Dataset } from './types.ts'

/** What a dataset calls a sample. `describe` must not throw, but a message must not be lost where one does. */
export function nameOf(dataset: Pick<Dataset, 'describe'>, id: number): string {
  try {
    return String(dataset.describe(id))
  } catch {
    return `sample ${id}`
  }
}
