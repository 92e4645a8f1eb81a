import { openDatasetOf } from './dataset-kinds.ts'
import { Engine } from './engine.ts'
import { loadOperation } from './load.ts'
import { OpenDatasets } from './open-datasets.ts'
import { storeOperation } from './store.ts'
import { StoreTable } from './store-table.ts'

export type { Engine, EngineFacts } from './engine.ts'

/** Serves other processes of this user: batches in shared memory, objects of stores. `version`: of the package. */
export function startEngine(version: string): Promise<Engine> {
  const operations = {
    load: loadOperation(new OpenDatasets(openDatasetOf)),
    store: storeOperation(new StoreTable()),
  }
  return Engine.start({ version, operations })
}
