import { nameOf } from '../datasets/name-of.ts'
import type { Dataset, Sample } from '../datasets/types.ts'
import { fromSystemError, HeadraceError, reasonOf } from '../errors.ts'
import { makeBatch, makeLease } from './batch.ts'
import { BatchMemory } from './batch-memory.ts'
import { faultError, isLasting, type RowFault } from './faults.ts'
import type { FetchTicket } from './fetch-budget.ts'
import type { StepPlan } from './plan.ts'
import type { SlotClaim } from './slots.ts'
import type { StepFetch } from './step-fetch.ts'
import type { Batch, DecodePlan, Decoder, FieldBatch, Rows, SampleFault } from './types.ts'
import { valueFault } from './values.ts'

/** Fields start at multiples of this in a slot: a cache line, and any element type. */
const FIELD_ALIGN = 64

export interface Prepared {
  readonly batch: Batch
  readonly plan: StepPlan
}

/** What each field's decoder recorded of a plan. */
export type RecordedFields = Readonly<Record<string, unknown>>

interface PlannedFields {
  readonly plans: ReadonlyMap<string, DecodePlan>
  readonly faults: RowFault[]
}

/** What a loader's batches have in common. */
export interface BatchMakerSettings {
  /** Samples of a whole batch. */
  readonly batchSize: number
}

/** What one try goes by. */
export interface Attempt {
  readonly fetch: StepFetch
  readonly recorded?: RecordedFields
  readonly ticket?: FetchTicket | undefined
}

/** Turns the plan of a step into a batch in a slot: read, plan each field, decode them together, deliver. */
export class BatchMaker {
  readonly #dataset: Dataset
  readonly #decoders: ReadonlyMap<string, Decoder>
  readonly #settings: BatchMakerSettings

  constructor(dataset: Dataset, decoders: ReadonlyMap<string, Decoder>, settings: BatchMakerSettings) {
    this.#dataset = dataset
    this.#decoders = decoders
    this.#settings = settings
  }

  /** Whether samples are read to memory that is no slot. */
  get reads(): boolean {
    return [...this.#decoders.values()].some((decoder) => decoder.readsSamples)
  }

  /** Whether anything is read, and not only located. */
  get fetches(): boolean {
    return this.reads || this.#writesInPlace
  }

  /** What every field decides for a step, as JSON. Throws the first row that nothing can be decided for. */
  async record(plan: StepPlan, fetch: StepFetch): Promise<RecordedFields> {
    const { plans, faults } = await this.#planFields(plan, { fetch })
    const [fault] = faults
    if (fault !== undefined) throw faultError(fault.record)
    return Object.fromEntries(
      [...this.#decoders].map(([name, decoder]) => [name, decoder.record(plans.get(name) as DecodePlan)]),
    )
  }

  /**
   * One try: a batch, or the rows that failed, in their order. The slot stays with the claim for another try; `ticket`
   * is told how much was fetched.
   */
  async attempt(
    plan: StepPlan,
    claim: SlotClaim,
    attempt: Attempt,
  ): Promise<Prepared | { readonly faults: readonly RowFault[] }> {
    const { plans, faults } = await this.#planFields(plan, attempt)
    if (faults.length > 0) return { faults: faults.sort((a, b) => a.row - b.row) }
    const count = plan.ids.length
    const offsets = new Map<string, number>()
    // As many ids in a short batch, so that its fields lie where those of the others do.
    let bytes = roundUp(8 * Math.max(count, this.#settings.batchSize))
    for (const [name, { bytes: own }] of plans) {
      offsets.set(name, bytes)
      bytes += roundUp(own)
    }
    if (bytes > claim.maxBytes) {
      const doubted = await this.#doubt(plan, plans)
      if (doubted.length > 0) return { faults: doubted }
    }
    const { handle } = await claim.take(bytes)
    const failed: RowFault[] = []
    const cuts = [...plans].flatMap(([name, { cuts = [] }]) => {
      const start = offsets.get(name) as number
      return [start, ...cuts.map((cut) => start + cut)]
    })
    // Leased only once all native work is done, where none writes in place: a slot remembers then which bytes are zeros.
    let memory = this.#writesInPlace ? BatchMemory.lease(handle, bytes, cuts) : undefined
    // Every field comes to its end before the slot can go back, also where one of them throws.
    const decoded = await Promise.allSettled(
      [...this.#decoders].map(async ([name, decoder]) => {
        const found = await decoder.decode(plans.get(name) as DecodePlan, {
          slot: handle,
          offset: offsets.get(name) as number,
          memory: () => memory as BatchMemory,
          fetch: attempt.fetch,
        })
        failed.push(...found.map((fault) => this.#describe(plan, name, fault, fault.lasting)))
      }),
    )
    for (const result of decoded) {
      if (result.status === 'fulfilled') continue
      memory?.detach()
      throw result.reason
    }
    if (failed.length > 0) {
      memory?.detach()
      return { faults: failed.sort((a, b) => a.row - b.row) }
    }
    memory ??= BatchMemory.lease(handle, bytes, cuts)
    const lease = makeLease(memory, () => claim.drop())
    try {
      const fields: Record<string, FieldBatch> = {}
      for (const [name, decoder] of this.#decoders)
        fields[name] = decoder.deliver(plans.get(name) as DecodePlan, memory, offsets.get(name) as number)
      const index = new BigInt64Array(memory.at(0).buffer, 0, count)
      for (let row = 0; row < count; row++) index[row] = BigInt(plan.ids[row] as number)
      const { epoch, step, padding } = plan
      const ids = { data: index, shape: [count], dtype: 'int64' as const }
      return { plan, batch: makeBatch(fields, { epoch, step, size: count, padding, index: ids }, lease) }
    } catch (error) {
      lease.release()
      throw error
    }
  }

  /** The rows that take the memory of a batch without cause. */
  async #doubt(plan: StepPlan, plans: ReadonlyMap<string, DecodePlan>): Promise<RowFault[]> {
    const faults: RowFault[] = []
    for (const [name, decoder] of this.#decoders) {
      const found = (await decoder.doubt?.(plans.get(name) as DecodePlan)) ?? []
      faults.push(...found.map((fault) => this.#describe(plan, name, fault, true)))
    }
    return faults.sort((a, b) => a.row - b.row)
  }

  get #writesInPlace(): boolean {
    return [...this.#decoders.values()].some(({ inPlace }) => inPlace === true)
  }

  async #planFields(plan: StepPlan, { fetch, recorded, ticket }: Attempt): Promise<PlannedFields> {
    const { samples, faults } = await this.#readSamples(plan, fetch)
    ticket?.found(samples.reduce((sum, sample) => sum + bytesOf(sample), 0))
    const rows: Rows = { epoch: plan.epoch, ids: plan.ids, repeats: plan.repeats, samples }
    const plans = new Map<string, DecodePlan>()
    for (const [name, decoder] of this.#decoders) {
      if (recorded !== undefined) checkRecorded(name, decoder, recorded)
      const fieldPlan = decoder.plan(rows, recorded?.[name])
      plans.set(name, fieldPlan)
      // A row that could not be read fails in every field; once is enough.
      const own = fieldPlan.faults.filter(({ row }) => !decoder.readsSamples || samples[row] !== undefined)
      faults.push(...own.map((fault) => this.#describe(plan, name, fault, true)))
    }
    return { plans, faults }
  }

  /** The samples of a step, once for all the fields that want them; nothing is read where none does. */
  async #readSamples(
    plan: StepPlan,
    fetch: StepFetch,
  ): Promise<{ samples: (Sample | undefined)[]; faults: RowFault[] }> {
    const fields = [...this.#decoders].filter(([, decoder]) => decoder.readsSamples).map(([name]) => name)
    if (fields.length === 0) return { samples: [], faults: [] }
    const { samples, failures } = await fetch.read(plan.ids, fields)
    // By row, and not in the order in which reading fails.
    const faults: (RowFault | undefined)[] = []
    for (const { row, error: cause } of failures) {
      const id = plan.ids[row] as number
      const key = nameOf(this.#dataset, id)
      const error = fromSystemError(cause, `sample ${id} (${key})`, { sample: id, key })
      if (!isLasting(cause)) throw fetch.reason ?? error
      const reason = reasonOf(cause, key)
      faults[row] = this.#describe(plan, fields[0] as string, { row, code: error.code, reason }, true)
    }
    for (const [row, sample] of samples.entries()) {
      if (faults[row] !== undefined) continue
      for (const field of fields) {
        const reason = valueFault(sample as Sample, field, this.#dataset.schema[field])
        if (reason === undefined) continue
        faults[row] = this.#describe(plan, field, { row, code: 'E_CORRUPT', reason }, true)
        samples[row] = undefined
        break
      }
    }
    return { samples, faults: faults.filter((fault) => fault !== undefined) }
  }

  #describe(plan: StepPlan, field: string, { row, code, reason }: SampleFault, lasting: boolean): RowFault {
    const sample = plan.ids[row] as number
    return {
      row,
      record: { sample, key: nameOf(this.#dataset, sample), field, code, reason },
      repeat: plan.repeats[row] as number,
      lasting,
    }
  }
}

/** E_STATE where a plan decides something of a field that the loader does not, or the other way round. */
function checkRecorded(name: string, { decides }: Decoder, recorded: RecordedFields): void {
  const planned = Object.hasOwn(recorded, name) && recorded[name] !== undefined && recorded[name] !== null
  if (planned === decides) return
  const reason = decides
    ? `the plan has nothing about field ${name}, but the loader has image operations`
    : `the plan has crops of field ${name}, but the loader has no operations for it`
  throw new HeadraceError('E_STATE', `replay: ${reason}`, {
    hint: 'replay it with a loader that has the operations that the plan was made with',
  })
}

/** Memory of a sample's values, about. */
function bytesOf(sample: Sample | undefined): number {
  let bytes = 0
  for (const value of Object.values(sample ?? {}))
    bytes += value instanceof Uint8Array ? value.byteLength : typeof value === 'string' ? 2 * value.length : 8
  return bytes
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / FIELD_ALIGN) * FIELD_ALIGN
}
