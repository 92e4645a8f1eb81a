import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'

/** DER (ITU-T X.690), as far as a certificate needs it. */

function tagged(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts)
  const size = body.length
  const length = size < 128 ? [size] : size < 256 ? [0x81, size] : [0x82, size >> 8, size & 255]
  return Buffer.concat([Buffer.from([tag, ...length]), body])
}

const sequence = (...parts: readonly Uint8Array[]) => tagged(0x30, ...parts)
const objectId = (hex: string) => tagged(0x06, Buffer.from(hex, 'hex'))
const utf8 = (text: string) => tagged(0x0c, Buffer.from(text))
const bits = (bytes: Uint8Array) => tagged(0x03, Buffer.from([0]), bytes)
const explicit = (number: number, ...parts: readonly Uint8Array[]) => tagged(0xa0 | number, ...parts)

const ECDSA_SHA256 = sequence(objectId('2a8648ce3d040302'))
const COMMON_NAME = objectId('550403')
const BASIC_CONSTRAINTS = objectId('551d13')
const ALTERNATIVE_NAMES = objectId('551d11')

function generalizedTime(time: number): Buffer {
  return tagged(0x18, Buffer.from(`${new Date(time).toISOString().replace(/[-:T]|\.\d+Z/g, '')}Z`))
}

function nameOf(text: string): Buffer {
  return sequence(tagged(0x31, sequence(COMMON_NAME, utf8(text))))
}

const DAY_MS = 86_400_000
/** As long as a browser's makers let certificates live. */
const LIFE_DAYS = 397

const NAMES = ['localhost', '*.localhost']
const ADDRESSES = [Buffer.from([127, 0, 0, 1]), Buffer.concat([Buffer.alloc(15), Buffer.from([1])])]

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').replace(/.{64}(?=.)/g, '$&\n')
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`
}

/** A certificate of its own making for localhost, *.localhost, 127.0.0.1 and ::1, and its key. PEM. */
export function selfSigned(now: number): { readonly cert: string; readonly key: string } {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const serial = Buffer.concat([Buffer.from([0x01]), randomBytes(15)])
  const alternatives = [
    ...NAMES.map((name) => tagged(0x82, Buffer.from(name))),
    ...ADDRESSES.map((address) => tagged(0x87, address)),
  ]
  const subject = nameOf('headrace dev s3')
  const extensions = sequence(
    sequence(
      BASIC_CONSTRAINTS,
      tagged(0x01, Buffer.from([0xff])),
      tagged(0x04, sequence(tagged(0x01, Buffer.from([0xff])))),
    ),
    sequence(ALTERNATIVE_NAMES, tagged(0x04, sequence(...alternatives))),
  )
  const toSign = sequence(
    explicit(0, tagged(0x02, Buffer.from([2]))),
    tagged(0x02, serial),
    ECDSA_SHA256,
    subject,
    sequence(generalizedTime(now - DAY_MS), generalizedTime(now + LIFE_DAYS * DAY_MS)),
    subject,
    publicKey.export({ type: 'spki', format: 'der' }),
    explicit(3, extensions),
  )
  const certificate = sequence(toSign, ECDSA_SHA256, bits(sign('sha256', toSign, privateKey)))
  return { cert: pem('CERTIFICATE', certificate), key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }
}
