import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Answer, isHeld, refusalAnswer } from './answer.ts'
import { deliver } from './delivery.ts'
import { deliveryOf, endsUnanswered } from './faults/after.ts'
import { beforeOperation } from './faults/before.ts'
import type { Draw, FaultDraws } from './faults/draw.ts'
import { faultyUpload } from './faults/upload.ts'
import { refuseKeys } from './operations/delete.ts'
import { HANDLERS } from './operations/index.ts'
import type { Service } from './operations/types.ts'
import { Refusal } from './refusal.ts'
import { type Operation, operationOf } from './request/operation.ts'
import { Payload } from './request/payload.ts'
import { readRequest, type S3Request } from './request/request.ts'
import type { OpenEntry, RequestLog } from './requests.ts'
import { type Account, verifyRequest } from './signing/verify.ts'
import type { Wire } from './wire.ts'

/** What every exchange of a server works with. */
export interface Host extends Service {
  readonly account: Account
  readonly log: RequestLog
  readonly faults: FaultDraws | undefined
}

export interface Incoming {
  readonly message: IncomingMessage
  readonly response: ServerResponse
  readonly wire: Wire
  /** Whether the client waits for `100 Continue` with its body. */
  readonly expects: boolean
  readonly requestId: string
  readonly entry: OpenEntry
}

/** What the answer to a request is, or that the connection ended in its place; and the fault that it met. */
interface Answered {
  readonly answer: Answer | undefined
  readonly draw: Draw | undefined
}

/** Four hundred bytes that are neither HTTP nor TLS. */
const GARBAGE = Buffer.from('\x00\x01\xfe\xffno protocol that you know\r\n\r\n'.padEnd(400, '\x7f'), 'latin1')

const SERVER = 'headrace-dev-s3'

/** The bytes of the request, asked for when somebody reads them. */
async function* bodyOf({ message, response, wire, expects }: Incoming, draw: Draw | undefined): AsyncGenerator<Buffer> {
  if (expects) {
    if (draw?.fault.kind === 'continue-stall') await wire.sleep(draw.fault.ms)
    if (wire.ended) throw new Error('the connection ended before a body came')
    response.writeContinue()
  }
  const size = Number(message.headers['content-length'] ?? 0)
  yield* faultyUpload(message as AsyncIterable<Buffer>, size, draw?.fault, wire)
}

async function drain(body: AsyncIterable<Buffer>): Promise<void> {
  for await (const _ of body);
}

/** The answer, or undefined where the connection has ended instead. */
async function carryOut(host: Host, incoming: Incoming, asked: Asked): Promise<Answer | undefined> {
  const { wire, requestId } = incoming
  const { request, operation, draw } = asked
  const body = bodyOf(incoming, draw)
  const payload = () =>
    new Payload(body, request, operation, verifyRequest(request, host.account, host.region, host.now()))
  const before = draw === undefined ? ({ act: 'go-on' } as const) : beforeOperation(draw.fault, request, requestId)
  if (before.act === 'refuse-keys') return refuseKeys(payload(), before.code, before.message)
  if (before.act === 'answer') {
    if (!before.early) await drain(body)
    return before.answer
  }
  if (before.act !== 'go-on') {
    await drain(body)
    if (before.act === 'end') wire.end(before.by)
    else wire.socket.end(GARBAGE)
    return undefined
  }
  const answer = await HANDLERS[operation](host, request, payload())
  const lost = draw === undefined ? undefined : endsUnanswered(draw.fault)
  if (lost === undefined) return answer
  if (isHeld(answer.body)) answer.body.release()
  wire.end(lost)
  return undefined
}

interface Asked {
  readonly request: S3Request
  readonly operation: Operation
  readonly draw: Draw | undefined
}

/** Reads what is asked, and writes it down. */
function ask({ log, faults }: Host, { message, entry }: Incoming): Asked {
  const request = readRequest(message)
  if (request.bucket !== undefined) entry.bucket = request.bucket
  if (request.key !== undefined) entry.key = request.key
  const operation = operationOf(request)
  entry.operation = operation
  const draw = faults?.draw({ operation, ...request })
  if (draw !== undefined) entry.fault = draw.fault.kind
  log.tally(entry)
  return { request, operation, draw }
}

async function answerTo(host: Host, incoming: Incoming, onDefect: (error: unknown) => void): Promise<Answered> {
  const { wire, entry, requestId } = incoming
  let asked: Asked | undefined
  try {
    asked = ask(host, incoming)
    return { answer: await carryOut(host, incoming, asked), draw: asked.draw }
  } catch (error) {
    if (wire.ended) return { answer: undefined, draw: undefined }
    if (error instanceof Refusal) entry.code = error.code
    else onDefect(error)
    return { answer: refusalAnswer(error, asked?.request.path ?? '', requestId), draw: asked?.draw }
  }
}

/** One request and its answer. What is no Refusal is answered with InternalError and told to `onDefect`. */
export async function exchange(
  host: Host,
  from: Omit<Incoming, 'requestId'>,
  onDefect: (error: unknown) => void,
): Promise<void> {
  const { message, response, wire, expects, entry } = from
  if (wire.isDoomed) return wire.reset()
  const requestId = randomBytes(8).toString('hex').toUpperCase()
  const { answer, draw } = await answerTo(host, { ...from, requestId }, onDefect)
  if (answer === undefined) return
  if (draw?.fault.kind === 'slow-first-byte') await wire.sleep(draw.fault.ms)
  entry.status = answer.status
  // The client may send the body that it was not asked for, or the next request: only a new connection tells which.
  const unread = expects && !message.readableDidRead ? { connection: 'close' } : {}
  const headers = {
    'x-amz-request-id': requestId,
    'x-amz-id-2': Buffer.from(requestId).toString('base64'),
    server: SERVER,
    date: new Date(host.now()).toUTCString(),
    ...answer.headers,
    ...unread,
  }
  try {
    await deliver(response, wire, deliveryOf({ ...answer, headers }, draw), message.method ?? '')
  } catch (error) {
    // The head is out: all that is left to say is that the body is not whole.
    onDefect(error)
    wire.reset()
  }
}
