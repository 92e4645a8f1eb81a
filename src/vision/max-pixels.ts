/** 2^30 / 6: twice the 1 GiB / 4 / 3 above which Pillow warns of a decompression bomb; it refuses above this, as we do. */
export const DEFAULT_MAX_PIXELS = 178_956_970
