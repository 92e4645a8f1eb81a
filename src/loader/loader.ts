import { nonNegativeInteger } from '../checks.ts'
import type { Dataset } from '../datasets/types.ts'
import { HeadraceError, isHeadraceError, throwIfAborted } from '../errors.ts'
import { native } from '../native.ts'
import { MAX_WORD } from '../sampling/random.ts'
import { type ShardPlan, shardPlan } from '../sampling/shards.ts'
import { BatchMaker, type Prepared } from './batch-maker.ts'
import { within } from './deadline.ts'
import { FaultPolicy, faultError, type LoaderReport, type RowFault } from './faults.ts'
import { genericDecoder } from './fields.ts'
import { type LoaderOptions, type LoaderSettings, OWN_ORDER, settle } from './options.ts'
import { planStep, type StepPlan } from './plan.ts'
import { checkRecordedPlan, type RecordedPlan } from './recorded-plan.ts'
import { SlotClaim, SlotRing } from './slots.ts'
import { checkState, fingerprintOf, type LoaderState } from './state.ts'
import type { Batch, DecoderFactory } from './types.ts'

/** How long the end of a loop waits for batches that are still being made, ms: a read may never come back. */
const END_GRACE = 1000

let groups = 0
/** Loaders count against their own thread bounds in the shared pool; 0 is for work outside loaders. */
function newGroup(): number {
  return ++groups
}

/**
 * Batches of a dataset, in an order that depends on nothing but (seed, epoch, number of samples). Iterate it with
 * `for await`; iterating again goes on with the next epoch. One iteration at a time.
 */
export class Loader<B extends Batch = Batch> implements AsyncIterable<B> {
  readonly #settings: LoaderSettings
  readonly #fingerprint: string
  readonly #maker: BatchMaker
  readonly #samples: number
  readonly #policy: FaultPolicy
  readonly #shards: ShardPlan
  #ring: SlotRing | undefined
  #epoch: number
  #position: number
  #iterating = false
  #closed = false

  constructor(
    dataset: Dataset,
    options: LoaderOptions,
    decoders: (settings: LoaderSettings, group: number) => DecoderFactory,
  ) {
    if (options.resume !== undefined) checkState(options.resume)
    const settings = settle(dataset, options)
    const { length } = settings.sampler
    this.#settings = settings
    this.#fingerprint = fingerprintOf(dataset, settings.order, length)
    if (options.resume !== undefined && options.resume.fingerprint !== this.#fingerprint)
      throw new HeadraceError('E_STATE', 'resume: the state was made over another dataset or order', {
        hint: 'pass the dataset and the shuffle or sampler option that the state was made with',
      })
    this.#shards = shardPlan({ ...settings, length })
    if (this.#shards.steps === 0 && length > 0)
      throw new HeadraceError(
        'E_USAGE',
        `tail 'drop' leaves nothing: a global batch of ${this.#shards.globalBatch} is more than the ${length} samples`,
        { hint: "take a smaller batchSize, or tail: 'short' or 'pad'" },
      )
    this.#policy = new FaultPolicy(settings.onError, settings.seed, dataset.length ?? length)
    this.#samples = dataset.length ?? length
    const group = newGroup()
    const special = decoders(settings, group)
    const fields = settings.fields.map(
      (name) => [name, special(name) ?? genericDecoder(dataset, name, settings.threads, group)] as const,
    )
    this.#maker = new BatchMaker(dataset, new Map(fields), settings.signal)
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
    return {
      version: 1,
      fingerprint: this.#fingerprint,
      seed,
      epoch: this.#epoch,
      position: this.#position,
      tail,
      globalBatch,
    }
  }

  /** The epoch that the next `for await` starts with, from its beginning. */
  setEpoch(epoch: number): void {
    nonNegativeInteger('epoch', epoch, MAX_WORD)
    this.#refuseWhileIterating('setEpoch')
    this.#epoch = epoch
    this.#position = 0
  }

  /** Samples that were skipped or replaced until now. */
  report(): LoaderReport {
    return this.#policy.report()
  }

  /** What step `step` of epoch `epoch` will do on this rank. */
  async planStep(epoch: number, step: number): Promise<RecordedPlan> {
    nonNegativeInteger('epoch', epoch, MAX_WORD)
    if (!Number.isSafeInteger(step) || step < 0 || step >= this.steps)
      throw new HeadraceError('E_USAGE', `step must be an integer from 0 to ${this.steps - 1}, but got ${step}`)
    this.#refuseClosed('planStep')
    const plan = this.#planOf(epoch, step)
    return {
      version: 1,
      fingerprint: this.#fingerprint,
      seed: this.#settings.seed,
      epoch,
      step,
      padding: plan.padding,
      ids: [...plan.ids],
      repeats: [...plan.repeats],
      fields: await this.#maker.record(plan),
    }
  }

  /**
   * The batch of a plan that was printed or kept, decided by the plan alone: a bad sample is thrown, whatever `onError`
   * says, for another one would not be what was planned.
   */
  async replay(recorded: RecordedPlan): Promise<B> {
    this.#refuseClosed('replay')
    const { plan, fields } = checkRecordedPlan(recorded, this.#fingerprint, this.#samples)
    // A slot of its own, which goes when the batch is released: replayed batches may stay as long as they like.
    const ring = new SlotRing(1, this.#settings.ringBytes)
    const claim = new SlotClaim(ring, Promise.resolve())
    const { timeout, signal } = this.#settings
    const made = this.#maker.attempt(plan, claim, fields).finally(() => ring.close())
    try {
      const result = await within(quiet(made), timeout, signal)
      if ('batch' in result) return result.batch as B
      throw faultError((result.faults[0] as RowFault).record)
    } catch (error) {
      made.then(
        (result) => ('batch' in result ? result.batch.release() : claim.drop()),
        () => claim.drop(),
      )
      throw error
    }
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

  #refuseClosed(what: string): void {
    if (this.#closed) throw new HeadraceError('E_STATE', `${what}: the loader is closed`)
  }

  #refuseWhileIterating(what: string): void {
    this.#refuseClosed(what)
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

  #planOf(epoch: number, step: number): StepPlan {
    const { sampler, order } = this.#settings
    sampler.prepare(epoch)
    return planStep(sampler, this.#shards, epoch, step, order === OWN_ORDER)
  }

  #stepAt(position: number): number {
    const { globalBatch, end } = this.#shards
    if (position % globalBatch !== 0 || position > end)
      throw new HeadraceError(
        'E_STATE',
        `resume: position ${position} is not a multiple of the global batch (${globalBatch})`,
      )
    return position / globalBatch
  }

  async *#iterateEpoch(): AsyncGenerator<B, void, undefined> {
    const { sampler, prefetch, timeout, signal, worldSize } = this.#settings
    const epoch = this.#epoch
    sampler.prepare(epoch)
    const ahead: Promise<Prepared>[] = []
    let next = this.#stepAt(this.#position)
    let turn = Promise.resolve()
    let current: Prepared | undefined
    let abandoned = false
    const makeAhead = () => {
      for (; next < this.steps && ahead.length < prefetch; next++) {
        const claim = new SlotClaim(this.#slotRing(), turn)
        turn = claim.settled
        ahead.push(quiet(this.#prepare(this.#planOf(epoch, next), claim)))
      }
    }
    try {
      while (next < this.steps || ahead.length > 0) {
        throwIfAborted(signal, 'loading')
        current?.batch.release()
        current = undefined
        makeAhead()
        current = await within(ahead[0] as Promise<Prepared>, timeout, signal)
        ahead.shift()
        // While this batch is in use, `prefetch` others are being made.
        makeAhead()
        // Over all ranks: one that has no share in the last short batch must not call the epoch done before it is.
        const reached = (current.plan.step + 1) * this.#shards.globalBatch
        const last = reached >= this.#shards.end
        this.#epoch = last ? epoch + 1 : epoch
        this.#position = last ? 0 : reached
        // Nothing to train on. Several ranks take every step, for one of them may have samples where another has none.
        if (current.plan.ids.length === 0 && worldSize === 1) continue
        yield current.batch as B
        this.#refuseClosed('the next batch')
      }
      this.#epoch = epoch + 1
      this.#position = 0
    } catch (error) {
      abandoned = isHeadraceError(error, 'E_TIMEOUT') || isHeadraceError(error, 'E_CANCELLED')
      throw error
    } finally {
      current?.batch.release()
      // What is still being made comes to its end and is given back. Where the time is up, nobody wants it any more or a
      // read hangs, that happens behind our back: the native side keeps the memory until then.
      const given = ahead.map((prepared) =>
        prepared.then(
          ({ batch }) => batch.release(),
          () => {},
        ),
      )
      if (!abandoned) await within(Promise.all(given), END_GRACE, undefined).catch(() => {})
    }
  }

  /** Makes the batch of a plan; where samples are bad, the batch that the policy makes of it. */
  async #prepare(original: StepPlan, claim: SlotClaim): Promise<Prepared> {
    try {
      for (;;) {
        const plan = this.#policy.admit(original)
        const result = await this.#maker.attempt(plan, claim)
        if ('batch' in result) {
          this.#policy.delivered(original, plan)
          return result
        }
        this.#policy.failed(plan.epoch, result.faults)
      }
    } catch (error) {
      claim.drop()
      throw error
    }
  }
}

/** Marks a promise as handled: its error is met when it is awaited, perhaps never. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  return promise
}
