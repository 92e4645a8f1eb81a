/** Archives as writers make them, put together by hand. */

export interface Entry {
  readonly name: string
  readonly data?: Uint8Array | string
  readonly type?: string
  readonly prefix?: string
  /** In place of the bytes' number. */
  readonly size?: string | Uint8Array
  readonly magic?: string
}

const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, '0')}\0`

export function tarBlock({ name, data = '', type = '0', prefix = '', size, magic = 'ustar\x0000' }: Entry): Buffer {
  const block = Buffer.alloc(512)
  block.write(name, 0, 100, 'utf8')
  block.write(octal(0o644, 7), 100, 'latin1')
  const said = size ?? octal(Buffer.from(data).length, 11)
  if (typeof said === 'string') block.write(said, 124, 12, 'latin1')
  else block.set(said, 124)
  block.write(octal(0, 11), 136, 'latin1')
  block.write('        ', 148, 'latin1')
  block.write(type, 156, 'latin1')
  block.write(magic, 257, 'latin1')
  block.write(prefix, 345, 155, 'utf8')
  const sum = block.reduce((all, byte) => all + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return block
}

function tarEntry(entry: Entry): Buffer {
  const data = Buffer.from(entry.data ?? '')
  return Buffer.concat([tarBlock(entry), data, Buffer.alloc((512 - (data.length % 512)) % 512)])
}

/** With the two blocks of zeros at its end. */
export function tarOf(...entries: readonly Entry[]): Buffer {
  return Buffer.concat([...entries.map(tarEntry), Buffer.alloc(1024)])
}

/** A record of an extended head. */
export function paxRecord(name: string, value: string): string {
  const rest = ` ${name}=${value}\n`
  let length = Buffer.byteLength(rest)
  while (String(length).length + Buffer.byteLength(rest) !== length)
    length = String(length).length + Buffer.byteLength(rest)
  return `${length}${rest}`
}
