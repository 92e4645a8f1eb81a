/** Every `stride`-th item of an array, to and from items that lie side by side. */

type Units = Uint8Array | Uint16Array | Uint32Array

/** Below this many items making views costs more than copying bytes. */
const FEW = 16

function copyUnits(from: Units, fromStride: number, to: Units, toStride: number, width: number, count: number): void {
  if (width === 1) {
    for (let i = 0, a = 0, b = 0; i < count; i++, a += fromStride, b += toStride) to[b] = from[a] ?? 0
    return
  }
  for (let i = 0, a = 0, b = 0; i < count; i++, a += fromStride, b += toStride)
    for (let k = 0; k < width; k++) to[b + k] = from[a + k] ?? 0
}

function viewOf(bytes: Uint8Array, unit: 1 | 2 | 4): Units {
  if (unit === 1) return bytes
  const length = Math.floor(bytes.length / unit)
  return unit === 2
    ? new Uint16Array(bytes.buffer, bytes.byteOffset, length)
    : new Uint32Array(bytes.buffer, bytes.byteOffset, length)
}

/** Copies `count` items of `itemBytes` from the start of `from` to the start of `to`; strides are in items. */
export function copyStrided(
  from: Uint8Array,
  fromStride: number,
  to: Uint8Array,
  toStride: number,
  itemBytes: number,
  count: number,
): void {
  const widest = itemBytes % 4 === 0 ? 4 : itemBytes % 2 === 0 ? 2 : 1
  const aligned = (from.byteOffset | to.byteOffset) % widest === 0
  const unit = aligned && count >= FEW ? widest : 1
  const width = itemBytes / unit
  copyUnits(viewOf(from, unit), fromStride * width, viewOf(to, unit), toStride * width, width, count)
}
