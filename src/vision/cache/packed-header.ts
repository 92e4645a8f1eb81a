/** "HDCT", with which a packed picture begins (docs/formats/dct.md). */
const MAGIC = [0x48, 0x44, 0x43, 0x54]

/** The size in pixels that a packed picture's header says; undefined where it is none. */
export function packedSize(bytes: Uint8Array): { readonly width: number; readonly height: number } | undefined {
  if (bytes.length < 16 || MAGIC.some((byte, i) => bytes[i] !== byte)) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  return { width: view.getUint16(6, true), height: view.getUint16(8, true) }
}
