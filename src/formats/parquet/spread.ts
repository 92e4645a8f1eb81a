/** Copies pieces of `width` bytes to every `stride` bytes of `to`, from `at` on. */
export function spread(from: Uint8Array, width: number, to: Uint8Array, stride: number, at: number): void {
  const rows = from.length / width
  if (width > 32) {
    for (let row = 0; row < rows; row++) to.set(from.subarray(row * width, (row + 1) * width), row * stride + at)
  } else if (width === 4 && stride % 4 === 0 && at % 4 === 0 && from.byteOffset % 4 === 0) {
    const words = new Uint32Array(from.buffer, from.byteOffset, rows)
    const target = new Uint32Array(to.buffer, to.byteOffset, to.length >> 2)
    for (let row = 0, place = at >> 2; row < rows; row++, place += stride >> 2) target[place] = words[row] as number
  } else {
    for (let row = 0, source = 0; row < rows; row++) {
      const place = row * stride + at
      for (let i = 0; i < width; i++) to[place + i] = from[source++] as number
    }
  }
}
