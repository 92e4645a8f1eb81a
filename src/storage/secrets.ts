import type { StoreSpec } from './types.ts'
import type { StoreOptions } from './url.ts'

/** By the spec that leaves them out: whoever has only the spec as text has none of them. */
const left = new WeakMap<StoreSpec, StoreOptions>()

/** What a store was opened with and its spec does not say, such as credentials. */
export function secretsOf(spec: StoreSpec): StoreOptions {
  return left.get(spec) ?? {}
}

export function keepSecrets(spec: StoreSpec, given: StoreOptions): void {
  const secrets = Object.entries(given).filter(
    ([name, value]) => value !== undefined && spec.options?.[name] === undefined,
  )
  if (secrets.length > 0) left.set(spec, Object.fromEntries(secrets))
}
