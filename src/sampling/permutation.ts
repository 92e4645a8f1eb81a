import { nonNegativeInteger } from '../checks.ts'
import { HeadraceError } from '../errors.ts'
import { highWord, MAX_WORD, threefry, viewKey } from './random.ts'

/**
 * A shuffle of 0 .. length-1 as arithmetic instead of an index array: a keyed bijection with its inverse.
 *
 * A position is a cell (left, right) of an a x b grid that is just big enough. Alternating additive Feistel rounds
 * move it: left += F(right) mod a, then right += F(left) mod b, each with its own key. A cell past `length` is moved on
 * (cycle walking, Black and Rogaway 2002); fewer than one in sqrt(length) is. Frozen: resumed runs depend on the order.
 */

/** Keys of the order are drawn apart from every view's; the NUL keeps it off the names that people give to views. */
export const ORDER_STREAM = viewKey('order\0')
