import { z } from 'zod'
import { HeadraceError } from '../../../errors.ts'
import { OPERATIONS, type Operation } from '../request/operation.ts'

/** What goes wrong on purpose. Every kind says which operations it is possible for; rules count only those. */

/** An hour: longer than any client waits. */
const milliseconds = z.number().min(0).max(3_600_000)
const byteCount = z.int().min(0)
const closing = z.enum(['rst', 'fin'])

const kinds = [
  z.strictObject({
    kind: z.literal('slow-down'),
    /** Seconds that the answer asks to wait. */
    retryAfter: z.number().min(0).max(3600).optional(),
    /** Requests in a row that are answered so; the rule fires once for all of them. */
    burst: z.int().min(1).max(1_000_000).default(1),
    /** Answers before the body of the request was read. */
    early: z.boolean().default(false),
  }),
  z.strictObject({
    kind: z.literal('error'),
    status: z.int().min(400).max(599).default(500),
    code: z.string().min(1).max(100).default('InternalError'),
    burst: z.int().min(1).max(1_000_000).default(1),
    early: z.boolean().default(false),
  }),
  z.strictObject({ kind: z.literal('slow-first-byte'), ms: milliseconds }),
  z.strictObject({
    kind: z.literal('stall'),
    /** Bytes of the body that come before it; half of it where absent. */
    after: byteCount.optional(),
    /** Forever where absent. */
    ms: milliseconds.optional(),
  }),
  z.strictObject({ kind: z.literal('slow-body'), bytesPerSecond: z.int().min(1) }),
  z.strictObject({ kind: z.literal('short-body'), after: byteCount.optional() }),
  z.strictObject({
    kind: z.literal('reset'),
    /** `during-upload` and `before-head`: nothing was done; `mid-body` and `after-processing`: all of it was. */
    when: z.enum(['during-upload', 'before-head', 'after-processing', 'mid-body']),
    /** Bytes of the body in question that come before it; half of it where absent. */
    after: byteCount.optional(),
    by: closing.default('rst'),
  }),
  z.strictObject({ kind: z.literal('wrong-content-range'), by: z.int().default(1) }),
  z.strictObject({
    kind: z.literal('wrong-content-length'),
    /** Bytes that the head says more (or less) than come. */
    by: z.int().refine((by) => by !== 0, 'must not be 0'),
  }),
  z.strictObject({
    kind: z.literal('etag-change'),
    /** A request with If-Match is answered 412, as by a server that looks. */
    honourIfMatch: z.boolean().default(true),
  }),
  z.strictObject({
    kind: z.literal('corrupt-body'),
    /** Bytes that are changed. */
    bytes: z.int().min(1).max(1_000_000).default(1),
  }),
  z.strictObject({ kind: z.literal('error-in-200'), code: z.string().min(1).max(100).default('InternalError') }),
  z.strictObject({ kind: z.literal('duplicate-complete'), by: closing.default('rst') }),
  z.strictObject({
    kind: z.literal('truncated-xml'),
    /** Share of the document that is sent. */
    keep: z.number().min(0).lt(1).default(0.5),
  }),
  z.strictObject({ kind: z.literal('garbage') }),
  z.strictObject({
    kind: z.literal('close-after'),
    when: z.enum(['at-once', 'at-next-request']).default('at-once'),
  }),
  z.strictObject({ kind: z.literal('continue-stall'), ms: milliseconds.optional() }),
  z.strictObject({ kind: z.literal('stall-upload'), after: byteCount.optional(), ms: milliseconds.optional() }),
  z.strictObject({
    kind: z.literal('redirect'),
    region: z.string().min(1).max(100),
    status: z.union([z.literal(301), z.literal(307)]).default(301),
    /** Value of the Location field. */
    location: z.url().optional(),
  }),
] as const

const faultSchema = z.discriminatedUnion('kind', kinds)

export type Fault = z.output<typeof faultSchema>
export type FaultKind = Fault['kind']

const UPLOADS: readonly Operation[] = ['PutObject', 'UploadPart']
const READS: readonly Operation[] = ['GetObject']
const CONFIRMED: readonly Operation[] = ['CompleteMultipartUpload', 'CopyObject', 'UploadPartCopy', 'DeleteObjects']
const DOCUMENTS: readonly Operation[] = [
  ...CONFIRMED,
  'ListBuckets',
  'ListObjects',
  'ListObjectsV2',
  'ListMultipartUploads',
  'ListParts',
  'CreateMultipartUpload',
]

/** Operations that a kind can hit; absent: every one. */
const POSSIBLE: Partial<Record<FaultKind, readonly Operation[]>> = {
  'wrong-content-range': READS,
  'etag-change': READS,
  'corrupt-body': READS,
  'error-in-200': CONFIRMED,
  'duplicate-complete': ['CompleteMultipartUpload'],
  'truncated-xml': DOCUMENTS,
  'continue-stall': UPLOADS,
  'stall-upload': UPLOADS,
  stall: [...READS, ...DOCUMENTS],
  'slow-body': [...READS, ...DOCUMENTS],
  'short-body': [...READS, ...DOCUMENTS],
}

export function isPossible(fault: Fault, operation: Operation): boolean {
  if (fault.kind === 'reset' && fault.when === 'during-upload') return UPLOADS.includes(operation)
  if (fault.kind === 'reset' && fault.when === 'mid-body') return [...READS, ...DOCUMENTS].includes(operation)
  return POSSIBLE[fault.kind]?.includes(operation) ?? true
}

const ruleSchema = z
  .strictObject({
    match: z
      .strictObject({
        method: z.enum(['GET', 'HEAD', 'PUT', 'POST', 'DELETE']).optional(),
        op: z.enum(OPERATIONS).optional(),
        bucket: z.string().optional(),
        /** The beginning of a key, or with `*` and `?` in it a pattern of the whole. */
        key: z.string().max(1024).optional(),
      })
      .default({}),
    /** Of the requests that match, in the order they come: this share, chosen by the seed. */
    probability: z.number().gt(0).max(1).optional(),
    /** Every n-th. */
    every: z.int().min(1).optional(),
    /** No more often than that. */
    times: z.int().min(1).optional(),
    /** Only after that many. */
    skip: z.int().min(0).default(0),
    fault: faultSchema,
  })
  .refine((rule) => rule.probability === undefined || rule.every === undefined, 'has both probability and every')

/** A rule as it is written: the first that fires decides. */
export type FaultRule = z.input<typeof ruleSchema>
export type CheckedRule = z.output<typeof ruleSchema>

const rulesSchema = z.array(ruleSchema).max(1000)

/** E_USAGE names the rule and what is wrong with it. */
export function checkRules(rules: unknown): readonly CheckedRule[] {
  const checked = rulesSchema.safeParse(rules)
  if (checked.success) return checked.data
  const [issue] = checked.error.issues
  const place = issue?.path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`)).join('') ?? ''
  throw new HeadraceError('E_USAGE', `faults${place}: ${issue?.message ?? 'not a list of rules'}`, {
    hint: 'docs/dev-server.md has the kinds of faults and what a rule may say',
  })
}

export const FAULT_KINDS: readonly FaultKind[] = kinds.map(({ shape }) => shape.kind.value)
