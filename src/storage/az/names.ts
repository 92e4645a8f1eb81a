import { show } from '../../checks.ts'
import { HeadraceError } from '../../errors.ts'
import { checkObjectKey } from '../remote/object-key.ts'

/** E_USAGE for what is no key; E_UNSUPPORTED for one that the service would keep under another name. */
export function checkBlobName(key: string): void {
  checkObjectKey(key)
  if (key.includes('\\'))
    throw new HeadraceError('E_UNSUPPORTED', `Azure makes "/" of "\\" in names, so it cannot keep ${show(key)}`, {
      key,
    })
}
