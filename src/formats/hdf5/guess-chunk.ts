/** Bytes that a chunk is meant to have, by the size of the data set: h5py's figures. */
const BASE = 16 * 1024
const LEAST = 8 * 1024
const MOST = 1024 * 1024

/**
 * The dimensions of a chunk where only is said that there are chunks, as h5py chooses them: halves of the data set's,
 * one axis after the other, until a chunk is about as large as the logarithm of the data set's size wants it.
 */
export function guessChunk(shape: readonly number[], itemBytes: number): number[] {
  const chunk = shape.map((axis) => (axis === 0 ? 1024 : axis))
  const bytes = (): number => chunk.reduce((product, axis) => product * axis, itemBytes)
  const target = Math.min(MOST, Math.max(LEAST, BASE * 2 ** Math.log10(bytes() / (1024 * 1024))))
  for (let axis = 0; ; axis = (axis + 1) % chunk.length) {
    const now = bytes()
    const near = now < target || Math.abs(now - target) / target < 0.5
    if ((near && now < MOST) || now === itemBytes) return chunk
    chunk[axis] = Math.ceil((chunk[axis] as number) / 2)
  }
}
