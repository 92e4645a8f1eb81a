import type { Dataset, Sample } from '../datasets/types.ts'
import { HeadraceError, isHeadraceError, throwIfAborted } from '../errors.ts'
import { native } from '../native.ts'
import { type ShardPlan, shardPlan } from '../sampling/shards.ts'
import { makeBatch, makeLease } from './batch.ts'
import { type FaultRecord, type LoaderReport, MAX_FAULT_RECORDS, Substitution } from './faults.ts'
import { genericDecoder } from './fields.ts'
import { within } from './deadline.ts'
import { type LoaderOptions, type LoaderSettings, settle } from './options.ts'
import { planStep, type StepPlan } from './plan.ts'
import { SlotClaim, SlotRing } from './slots.ts'
import { checkState, fingerprintOf, type LoaderState } from './state.ts'
import type { Batch, DecodePlan, Decoder, DecoderFactory, FieldBatch, Rows, SampleFault } from './types.ts'

/** Fields start at multiples of this in a slot: a cache line, and any element type. */
const FIELD_ALIGN = 64

interface Prepared {
  readonly batch: Batch
  readonly plan: StepPlan
}

/** A step's plan with what each field decides, as JSON: print it, keep it, replay it. */
export interface RecordedPlan {
  readonly version: 1
  readonly fingerprint: string
  readonly seed: number
  readonly epoch: number
  readonly step: number
  readonly padding: number
  readonly ids: readonly number[]
  readonly repeats: readonly number[]
  readonly fields: Readonly<Record<string, unknown>>
}

let groups = 0
/** Loaders count against their own thread bounds in the shared pool; 0 is for work outside loaders. */
export function newGroup(): number {
  return ++groups
}

/**
 * Batches of a dataset, in an order that depends on nothing but (seed, epoch, number of samples). Iterate it with
 * `for await`; iterating again goes on with the next epoch. One iteration at a time.
 */
export class Loader<B extends Batch = Batch> implements AsyncIterable<B> {
  readonly #dataset: Dataset
  readonly #settings: LoaderSettings
  readonly #decoders: ReadonlyMap<string, Decoder>
  readonly #fingerprint: string
  readonly #substitution: Substitution
  readonly #faults: FaultRecord[] = []
  readonly #shards: ShardPlan
  #ring: SlotRing | undefined
  #epoch: number
  #position: number
  #iterating = false
  #closed = false
  #skipped = 0
  #replaced = 0

  constructor(dataset: Dataset, options: LoaderOptions, decoders: (settings: LoaderSettings, group: number) => DecoderFactory) {
    if (options.resume !== undefined) checkState(options.resume)
    const settings = settle(dataset, options)
    const { length } = settings.sampler
    this.#dataset = dataset
    this.#settings = settings
    this.#fingerprint = fingerprintOf(dataset, settings.order, length)
    if (options.resume !== undefined && options.resume.fingerprint !== this.#fingerprint)
      throw new HeadraceError('E_STATE', 'resume: the state was made over another dataset or order', {
        hint: 'pass the dataset and the shuffle or sampler option that the state was made with',
      })
    this.#shards = shardPlan({ ...settings, length })
    this.#substitution = new Substitution(settings.seed, dataset.length ?? length)
    const group = newGroup()
    const special = decoders(settings, group)
    this.#decoders = new Map(
      settings.fields.map((name) => [name, special(name) ?? genericDecoder(dataset, name, settings.threads, group)]),
    )
    this.#epoch = settings.epoch
    this.#position = settings.position
    if (this.#position > 0) this.#stepAt(this.#position)
  }

  /** Steps of an epoch on this rank. */
  get steps(): number {
    return this.#shards.steps
  }

  /** Bytes of slot memory held now. */
  get slotBytes(): number {
    return this.#ring?.bytes ?? 0
  }

  /** Bytes of scratch memory that the process's decode threads hold now. */
  get scratchBytes(): number {
    return native.scratchBytes()
  }

  /** Where the consumer stands: behind the last batch delivered. */
  state(): LoaderState {
    const { seed, tail } = this.#settings
    const { globalBatch } = this.#shards
    return { version: 1, fingerprint: this.#fingerprint, seed, epoch: this.#epoch, position: this.#position, tail, globalBatch }
  }

  /** The epoch that the next `for await` starts with, from its beginning. */
  setEpoch(epoch: number): void {
    if (!Number.isSafeInteger(epoch) || epoch < 0 || epoch >= 2 ** 32)
      throw new HeadraceError('E_USAGE', `epoch must be an integer of 0 or more, but got ${epoch}`)
    this.#refuseWhileIterating('setEpoch')
    this.#epoch = epoch
    this.#position = 0
  }

  /** Samples that were skipped or replaced until now. */
  report(): LoaderReport {
    return { skipped: this.#skipped, replaced: this.#replaced, faults: [...this.#faults] }
  }

  /** What step `step` of epoch `epoch` will do on this rank. */
  async planStep(epoch: number, step: number): Promise<RecordedPlan> {
    if (!Number.isSafeInteger(step) || step < 0 || step >= this.steps)
      throw new HeadraceError('E_USAGE', `step must be an integer from 0 to ${this.steps - 1}, but got ${step}`)
    this.#settings.sampler.prepare(epoch)
    const plan = planStep(this.#settings.sampler, this.#shards, epoch, step)
    const { plans } = await this.#planFields(plan)
    return {
      version: 1,
      fingerprint: this.#fingerprint,
      seed: this.#settings.seed,
      epoch,
      step,
      padding: plan.padding,
      ids: [...plan.ids],
      repeats: [...plan.repeats],
      fields: Object.fromEntries([...this.#decoders].map(([name, decoder]) => [name, decoder.record(plans.get(name) as DecodePlan)])),
    }
  }

  /** The batch of a plan that was printed or kept, decided by the plan alone. */
  async replay(recorded: RecordedPlan): Promise<B> {
    if (recorded.version !== 1) throw new HeadraceError('E_STATE', `plan version must be 1, but got ${recorded.version}`)
    if (recorded.fingerprint !== this.#fingerprint) throw new HeadraceError('E_STATE', 'the plan was made over another dataset or order')
    const { epoch, step, padding } = recorded
    const plan = { epoch, step, padding, ids: Float64Array.from(recorded.ids), repeats: Uint32Array.from(recorded.repeats) }
    return (await this.#prepare(plan, new SlotClaim(this.#slotRing(), Promise.resolve()), recorded.fields)).batch as B
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<B, void, undefined> {
    this.#refuseWhileIterating('another iteration')
    this.#iterating = true
    let whole = false
    try {
      for (let count = 0; count < this.#settings.epochs; count++) yield* this.#iterateEpoch()
      whole = true
    } finally {
      this.#iterating = false
      // After a break or an error nothing is kept; after a whole epoch the slots wait for the next one.
      if (!whole) this.#dropRing()
    }
  }

  /** Frees the slots. A batch that is still out keeps its memory until it is released. */
  close(): void {
    this.#closed = true
    this.#dropRing()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close()
  }

  #refuseWhileIterating(what: string): void {
    if (this.#closed) throw new HeadraceError('E_STATE', `${what}: the loader is closed`)
    if (this.#iterating) throw new HeadraceError('E_STATE', `${what}: the loader is being iterated already`)
  }

  #dropRing(): void {
    this.#ring?.close()
    this.#ring = undefined
  }

  /** One slot in the consumer's hands, `prefetch` being made. */
  #slotRing(): SlotRing {
    this.#ring ??= new SlotRing(this.#settings.prefetch + 1, this.#settings.ringBytes)
    return this.#ring
  }

  #stepAt(position: number): number {
    const { globalBatch, end } = this.#shards
    if (position % globalBatch !== 0 || position > end)
      throw new HeadraceError('E_STATE', `resume: position ${position} is not a multiple of the global batch (${globalBatch})`)
    return position / globalBatch
  }

  async *#iterateEpoch(): AsyncGenerator<B, void, undefined> {
    const { sampler, prefetch, timeout, signal } = this.#settings
    const epoch = this.#epoch
    sampler.prepare(epoch)
    const ahead: Promise<Prepared>[] = []
    let next = this.#stepAt(this.#position)
    let turn = Promise.resolve()
    let current: Prepared | undefined
    let abandoned = false
    try {
      while (next < this.steps || ahead.length > 0) {
        throwIfAborted(signal, 'loading')
        current?.batch.release()
        current = undefined
        for (; next < this.steps && ahead.length < prefetch; next++) {
          const claim = new SlotClaim(this.#slotRing(), turn)
          turn = claim.settled
          ahead.push(quiet(this.#prepare(planStep(sampler, this.#shards, epoch, next), claim)))
        }
        current = await within(ahead[0] as Promise<Prepared>, timeout, signal)
        ahead.shift()
        // Over all ranks: one that has no share in the last short batch must not call the epoch done before it is.
        const reached = (current.plan.step + 1) * this.#shards.globalBatch
        const last = reached >= this.#shards.end
        this.#epoch = last ? epoch + 1 : epoch
        this.#position = last ? 0 : reached
        yield current.batch as B
      }
      this.#epoch = epoch + 1
      this.#position = 0
    } catch (error) {
      abandoned = isHeadraceError(error, 'E_TIMEOUT') || isHeadraceError(error, 'E_CANCELLED')
      throw error
    } finally {
      current?.batch.release()
      // What is still being made comes to its end and is given back. Where the time is up or nobody wants it any more,
      // that happens behind our back: the native side keeps the memory until then.
      const given = ahead.map((prepared) => prepared.then(({ batch }) => batch.release(), () => {}))
      if (!abandoned) await Promise.all(given)
    }
  }

  /** Makes the batch of a plan; where samples are bad, the batch that the policy makes of it. */
  async #prepare(original: StepPlan, claim: SlotClaim, recorded?: Readonly<Record<string, unknown>>): Promise<Prepared> {
    try {
      return await this.#underPolicy(original, claim, recorded)
    } catch (error) {
      claim.drop()
      throw error
    }
  }

  async #underPolicy(original: StepPlan, claim: SlotClaim, recorded?: Readonly<Record<string, unknown>>): Promise<Prepared> {
    const { onError } = this.#settings
    const reported = new Set<number>()
    for (;;) {
      const plan = onError === 'skip' ? this.#substitution.skip(original) : onError === 'replace' ? this.#substitution.replace(original) : original
      if (plan === undefined) throw new HeadraceError('E_CORRUPT', `no sample can replace a bad one: ${this.#substitution.known.size} are known to be bad`)
      const result = await this.#attempt(plan, claim, plan === original ? recorded : undefined)
      if ('batch' in result) {
        this.#account(original, plan)
        return result
      }
      if (onError === 'throw') throw this.#errorOf(result.faults[0] as FaultRecord)
      for (const fault of result.faults) {
        if (reported.has(fault.sample)) continue
        reported.add(fault.sample)
        this.#substitution.mark(fault.sample)
        if (this.#faults.length < MAX_FAULT_RECORDS) this.#faults.push(fault)
      }
    }
  }

  /** Counts the places that a policy changed in a batch. */
  #account(original: StepPlan, plan: StepPlan): void {
    if (plan === original) return
    this.#skipped += original.ids.length - plan.ids.length
    if (plan.ids.length === original.ids.length) for (const [row, id] of plan.ids.entries()) if (id !== original.ids[row]) this.#replaced++
  }

  #errorOf(fault: FaultRecord): HeadraceError {
    const { sample, key, field, code, reason } = fault
    return new HeadraceError(code, `sample ${sample} (${key}), field ${field}: ${reason}`, {
      sample,
      key,
      field,
      hint: "onError: 'skip' or 'replace' goes on without such samples",
    })
  }

  async #planFields(plan: StepPlan, recorded?: Readonly<Record<string, unknown>>): Promise<{ plans: Map<string, DecodePlan>; faults: FaultRecord[] }> {
    const { samples, faults } = await this.#readSamples(plan)
    const rows: Rows = { epoch: plan.epoch, ids: plan.ids, repeats: plan.repeats, samples }
    const plans = new Map<string, DecodePlan>()
    for (const [name, decoder] of this.#decoders) {
      const fieldPlan = decoder.plan(rows, recorded?.[name])
      plans.set(name, fieldPlan)
      // A row that could not be read fails in every field; once is enough.
      faults.push(...fieldPlan.faults.filter(({ row }) => !decoder.readsSamples || samples[row] !== undefined).map((f) => this.#record(plan, name, f)))
    }
    return { plans, faults }
  }

  /** One try: a batch, or the rows that failed. */
  async #attempt(
    plan: StepPlan,
    claim: SlotClaim,
    recorded?: Readonly<Record<string, unknown>>,
  ): Promise<Prepared | { readonly faults: FaultRecord[] }> {
    const { plans, faults } = await this.#planFields(plan, recorded)
    if (faults.length > 0) return { faults }
    const offsets = new Map<string, number>()
    const count = plan.ids.length
    let bytes = roundUp(8 * count)
    for (const [name, { bytes: own }] of plans) {
      offsets.set(name, bytes)
      bytes += roundUp(own)
    }
    const slot = await claim.take(bytes)
    const failed: FaultRecord[] = []
    // Every field comes to its end before the slot can go back, also where one of them throws.
    const decoded = await Promise.allSettled(
      [...this.#decoders].map(async ([name, decoder]) => {
        const found = await decoder.decode(plans.get(name) as DecodePlan, { slot: slot.handle, offset: offsets.get(name) as number })
        for (const fault of found) failed.push(this.#record(plan, name, fault))
      }),
    )
    for (const result of decoded) if (result.status === 'rejected') throw result.reason
    if (failed.length > 0) return { faults: failed }
    const lease = makeLease(native.leaseSlot(slot.handle, bytes), () => claim.drop())
    const fields: Record<string, FieldBatch> = {}
    for (const [name, decoder] of this.#decoders)
      fields[name] = decoder.deliver(plans.get(name) as DecodePlan, lease.buffer, offsets.get(name) as number)
    const index = new BigInt64Array(lease.buffer, 0, count)
    for (let row = 0; row < count; row++) index[row] = BigInt(plan.ids[row] as number)
    const { epoch, step, padding } = plan
    const meta = { epoch, step, size: count, padding, index: { data: index, shape: [count], dtype: 'int64' as const } }
    return { plan, batch: makeBatch(fields, meta, lease) }
  }

  async #readSamples(plan: StepPlan): Promise<{ samples: (Sample | undefined)[]; faults: FaultRecord[] }> {
    const fields = [...this.#decoders].filter(([, decoder]) => decoder.readsSamples).map(([name]) => name)
    const faults: FaultRecord[] = []
    if (fields.length === 0) return { samples: [], faults }
    const { signal } = this.#settings
    const samples = await Promise.all(
      Array.from(plan.ids, (id, row) =>
        this.#dataset.read(id, signal === undefined ? { fields } : { fields, signal }).catch((error: unknown) => {
          if (!isHeadraceError(error) || error.code === 'E_CANCELLED') throw error
          faults.push(this.#record(plan, fields[0] as string, { row, code: error.code, reason: error.message }))
          return undefined
        }),
      ),
    )
    return { samples, faults }
  }

  #record(plan: StepPlan, field: string, { row, code, reason }: SampleFault): FaultRecord {
    const sample = plan.ids[row] as number
    return { sample, key: this.#dataset.describe(sample), field, code, reason }
  }
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / FIELD_ALIGN) * FIELD_ALIGN
}

/** Marks a promise as handled: its error is met when it is awaited, perhaps never. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  return promise
}
