/** A rectangle in an array: the array's bytes and shape, and where the rectangle starts. */
export interface Corner {
  readonly bytes: Uint8Array
  readonly shape: readonly number[]
  readonly at: readonly number[]
}

/** Copies a rectangle of `count` elements an axis, of `itemBytes` each, from one row-major array to another. */
export function copyBox(from: Corner, to: Corner, count: readonly number[], itemBytes: number): void {
  if (count.includes(0)) return
  // Axes that are whole in both arrays are one run of bytes with the axis before them.
  let runs = count.length
  let run = itemBytes
  do {
    runs--
    run *= count[runs] ?? 1
  } while (runs > 0 && count[runs] === from.shape[runs] && count[runs] === to.shape[runs])
  if (runs < 0) runs = 0

  const fromSteps = steps(from.shape, itemBytes)
  const toSteps = steps(to.shape, itemBytes)
  const copy = (axis: number, source: number, target: number): void => {
    if (axis === runs) {
      to.bytes.set(from.bytes.subarray(source, source + run), target)
      return
    }
    const length = count[axis] as number
    const fromStep = fromSteps[axis] as number
    const toStep = toSteps[axis] as number
    for (let i = 0; i < length; i++) copy(axis + 1, source + i * fromStep, target + i * toStep)
  }
  copy(0, start(from.at, fromSteps), start(to.at, toSteps))
}

/** Bytes from one element of each axis to the next. */
function steps(shape: readonly number[], itemBytes: number): number[] {
  const all: number[] = new Array(shape.length)
  let step = itemBytes
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    all[axis] = step
    step *= shape[axis] as number
  }
  return all
}

function start(at: readonly number[], stepOf: readonly number[]): number {
  return at.reduce((sum, place, axis) => sum + place * (stepOf[axis] as number), 0)
}

/** The places of a grid in row-major order. The array is the same one each time. */
export function* gridPlaces(grid: readonly number[]): Generator<readonly number[]> {
  if (grid.includes(0)) return
  const at = grid.map(() => 0)
  while (true) {
    yield at
    let axis = at.length - 1
    for (; axis >= 0; axis--) {
      at[axis] = (at[axis] as number) + 1
      if (at[axis] !== grid[axis]) break
      at[axis] = 0
    }
    if (axis < 0) return
  }
}
