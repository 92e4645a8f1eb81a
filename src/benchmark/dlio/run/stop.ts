/** Why everything ends: the stop word's values that are not 0. */
export const STOP = { user: 1, peer: 2, reader: 3, over: 4 } as const
