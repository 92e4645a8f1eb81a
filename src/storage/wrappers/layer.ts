import { keepOrigin, originOf } from '../origin.ts'
import { keepSecrets, secretsOf } from '../secrets.ts'
import type { CopyAcross, Store, StoreSpec, WrapperSpec } from '../types.ts'

type Calls = Omit<Store, 'url' | 'spec' | 'endpoint'>

/** What a wrapper does instead of the store inside, which gets the calls that stand not here. */
export type LayerCalls = { readonly [Name in keyof Calls]?: Calls[Name] | undefined }

/** `inner` with some of its calls replaced; what it has not, the result has not either. */
export function layer(inner: Store, spec: StoreSpec, calls: LayerCalls): Store {
  const { endpoint, copy, copyFrom, createContainer, deleteContainer, listContainers, presign, localPath, report } =
    inner
  return {
    url: inner.url,
    spec,
    ...(endpoint !== undefined && { endpoint }),
    head: calls.head ?? inner.head.bind(inner),
    get: calls.get ?? inner.get.bind(inner),
    list: calls.list ?? inner.list.bind(inner),
    put: calls.put ?? inner.put.bind(inner),
    writer: calls.writer ?? inner.writer.bind(inner),
    delete: calls.delete ?? inner.delete.bind(inner),
    close: calls.close ?? inner.close.bind(inner),
    ...(copy && { copy: calls.copy ?? copy.bind(inner) }),
    ...(copyFrom && { copyFrom: calls.copyFrom ?? copyFrom.bind(inner) }),
    ...(createContainer && { createContainer: calls.createContainer ?? createContainer.bind(inner) }),
    ...(deleteContainer && { deleteContainer: calls.deleteContainer ?? deleteContainer.bind(inner) }),
    ...(listContainers && { listContainers: calls.listContainers ?? listContainers.bind(inner) }),
    ...(presign && { presign: calls.presign ?? presign.bind(inner) }),
    ...(localPath && { localPath: calls.localPath ?? localPath.bind(inner) }),
    ...(report && { report: calls.report ?? report.bind(inner) }),
  }
}

/** A store's spec with one more wrapper around it. */
export function wrappedSpec({ spec }: Store, name: WrapperSpec['name'], options: WrapperSpec['options']): StoreSpec {
  const wrapped = { ...spec, wrappers: [...(spec.wrappers ?? []), { name, options }] }
  keepSecrets(wrapped, secretsOf(spec))
  keepOrigin(wrapped, originOf(spec))
  return wrapped
}

/** Copies out of another store, as a wrapper has every one of them done. */
export function copiesFrom(inner: Store, each: (copy: CopyAcross) => CopyAcross): Store['copyFrom'] | undefined {
  const { copyFrom } = inner
  if (copyFrom === undefined) return undefined
  return async (source) => {
    const copy = await copyFrom.call(inner, source)
    return copy && each(copy)
  }
}
