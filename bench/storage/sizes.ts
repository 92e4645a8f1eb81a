const UNITS = ['B', 'KiB', 'MiB', 'GiB']

/** Sizes here are whole in their unit: 131072 -> 128 KiB. */
export function formatSize(bytes: number): string {
  let unit = 0
  for (; bytes >= 1024 && unit < UNITS.length - 1; unit++) bytes /= 1024
  return `${bytes} ${UNITS[unit]}`
}
