import { optionsByScheme } from './store-place.ts'
import { StoreSession } from './store-session.ts'
import type { StoreTable } from './store-table.ts'
import type { Operation } from './types.ts'

/** The operation `store`: requests about objects, whose stores connections with the same options share. */
export function storeOperation(table: StoreTable): Operation {
  return async ({ hello, socket, signal, accept }) => {
    const session = new StoreSession(socket, table, optionsByScheme(hello.options))
    await session.run(accept({}), signal)
  }
}
