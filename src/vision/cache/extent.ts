/** How far a file has come: bytes after the header and their CRC-32C. */
export interface Extent {
  readonly bytes: number
  readonly crc: number
}

/** Where each file ends: what a build that goes on starts from. */
export type Extents = Readonly<Record<string, Extent>>
