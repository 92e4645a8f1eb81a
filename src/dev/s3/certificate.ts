import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { isIP } from 'node:net'

/** DER (ITU-T X.690), as far as certificates (RFC 5280) need it. */

function tagged(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts)
  const size = body.length
  const length = size < 128 ? [size] : size < 256 ? [0x81, size] : [0x82, size >> 8, size & 255]
  return Buffer.concat([Buffer.from([tag, ...length]), body])
}

const sequence = (...parts: readonly Uint8Array[]) => tagged(0x30, ...parts)
const objectId = (hex: string) => tagged(0x06, Buffer.from(hex, 'hex'))
const octets = (...parts: readonly Uint8Array[]) => tagged(0x04, ...parts)
const bits = (bytes: Uint8Array, unused = 0) => tagged(0x03, Buffer.from([unused]), bytes)
const explicit = (number: number, ...parts: readonly Uint8Array[]) => tagged(0xa0 | number, ...parts)
const TRUE = tagged(0x01, Buffer.from([0xff]))

const ECDSA_SHA256 = sequence(objectId('2a8648ce3d040302'))
const COMMON_NAME = objectId('550403')

const extension = (id: string, value: Uint8Array) => sequence(objectId(id), octets(value))
const criticalExtension = (id: string, value: Uint8Array) => sequence(objectId(id), TRUE, octets(value))

const SUBJECT_KEY = '551d0e'
const KEY_USAGE = '551d0f'
const ALTERNATIVE_NAMES = '551d11'
const BASIC_CONSTRAINTS = '551d13'
const AUTHORITY_KEY = '551d23'

/** Bits from the left: digitalSignature is the first, keyCertSign the sixth. */
const SIGNS_MESSAGES = bits(Buffer.from([0x80]), 7)
const SIGNS_CERTIFICATES = bits(Buffer.from([0x04]), 2)

const DAY_MS = 86_400_000
/** As long as the makers of browsers let certificates live. */
const LIFE_DAYS = 397

function generalizedTime(time: number): Buffer {
  return tagged(0x18, Buffer.from(`${new Date(time).toISOString().replace(/[-:T]|\.\d+Z/g, '')}Z`))
}

function nameOf(text: string): Buffer {
  return sequence(tagged(0x31, sequence(COMMON_NAME, tagged(0x0c, Buffer.from(text)))))
}

function pem(label: string, der: Buffer): string {
  return `-----BEGIN ${label}-----\n${der.toString('base64').replace(/.{64}(?=.)/g, '$&\n')}\n-----END ${label}-----\n`
}

interface KeyPair {
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
}

function keyId({ publicKey }: KeyPair): Buffer {
  return createHash('sha1')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest()
}

interface Subject {
  readonly name: string
  readonly keys: KeyPair
  readonly extensions: readonly Buffer[]
}

function certificate(subject: Subject, issuer: Omit<Subject, 'extensions'>, now: number): string {
  const toSign = sequence(
    explicit(0, tagged(0x02, Buffer.from([2]))),
    // Above zero and short enough: the first byte says so.
    tagged(0x02, Buffer.from([0x01]), randomBytes(15)),
    ECDSA_SHA256,
    nameOf(issuer.name),
    sequence(generalizedTime(now - DAY_MS), generalizedTime(now + LIFE_DAYS * DAY_MS)),
    nameOf(subject.name),
    subject.keys.publicKey.export({ type: 'spki', format: 'der' }),
    explicit(3, sequence(...subject.extensions, extension(AUTHORITY_KEY, sequence(tagged(0x80, keyId(issuer.keys)))))),
  )
  return pem('CERTIFICATE', sequence(toSign, ECDSA_SHA256, bits(sign('sha256', toSign, issuer.keys.privateKey))))
}

/** PEM. */
export interface TlsKeys {
  readonly cert: string
  readonly key: string
}

/** An authority for one server: whoever trusts its certificate trusts what it issues. */
export interface Authority {
  /** PEM. */
  readonly cert: string
  /** For hosts and addresses. */
  issue(hosts: readonly string[]): TlsKeys
}

function alternativeName(host: string): Buffer {
  if (isIP(host) === 4) return tagged(0x87, Buffer.from(host.split('.').map(Number)))
  // Of IPv6 there is but one that is meant: this machine.
  if (isIP(host) === 6) return tagged(0x87, Buffer.alloc(15), Buffer.from([1]))
  return tagged(0x82, Buffer.from(host))
}

/** `now`: milliseconds since 1970. */
export function createAuthority(now: number): Authority {
  const pair = () => generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const issuer = { name: 'headrace dev s3', keys: pair() }
  const keys = pair()
  const extensions = [
    criticalExtension(BASIC_CONSTRAINTS, sequence(TRUE)),
    criticalExtension(KEY_USAGE, SIGNS_CERTIFICATES),
    extension(SUBJECT_KEY, octets(keyId(issuer.keys))),
  ]
  return {
    cert: certificate({ ...issuer, extensions }, issuer, now),
    issue(hosts) {
      const subject = {
        name: hosts[0] ?? '',
        keys,
        extensions: [
          criticalExtension(KEY_USAGE, SIGNS_MESSAGES),
          extension(ALTERNATIVE_NAMES, sequence(...hosts.map(alternativeName))),
          extension(SUBJECT_KEY, octets(keyId(keys))),
        ],
      }
      const key = keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
      return { cert: certificate(subject, issuer, now), key }
    },
  }
}
