import type { Store, StoreSpec } from './types.ts'

/** By spec, which what is around a store passes on. */
const innermost = new WeakMap<StoreSpec, Store>()

/** Which store is inside of all that is around one; undefined where that was made by somebody else. */
export function originOf(spec: StoreSpec): Store | undefined {
  return innermost.get(spec)
}

export function keepOrigin(spec: StoreSpec, store: Store | undefined): void {
  if (store !== undefined) innermost.set(spec, store)
}
