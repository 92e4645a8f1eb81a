import type { StorageOp } from './types.ts'

/** Deletes have objects of their own, so that those which are kept for reading stay. */
export function folderOf(op: StorageOp, size: number): string {
  return `headrace-bench/${size}${op === 'delete' ? '-delete' : ''}/`
}

export function keyOf(folder: string, number: number): string {
  return `${folder}${String(number).padStart(8, '0')}`
}

/** Undefined for what is none of ours. */
export function numberOf(folder: string, key: string): number | undefined {
  const name = key.slice(folder.length)
  return /^\d{8,15}$/.test(name) ? Number(name) : undefined
}
