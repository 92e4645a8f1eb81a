import { nonNegativeInteger } from '../checks.ts'
import type { Dataset } from '../datasets/types.ts'
import { HeadraceError, isHeadraceError, throwIfAborted } from '../errors.ts'
import { native } from '../native.ts'
import { MAX_WORD } from '../sampling/random.ts'
import { type ShardPlan, shardPlan } from '../sampling/shards.ts'
import { BatchMaker, type Prepared } from './batch-maker.ts'
import { within } from './deadline.ts'
import { FaultPolicy, faultError, type LoaderReport, type RowFault } from './faults.ts'
import { FetchBudget, type FetchTicket } from './fetch-budget.ts'
import { genericDecoder } from './fields.ts'
import { type LoaderOptions, type LoaderSettings, settle } from './options.ts'
import { planStep, type StepPlan } from './plan.ts'
import { checkRecordedPlan, type RecordedPlan } from './recorded-plan.ts'
import { CountedRepeats, type Repeats, roundsOf } from './repeats.ts'
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
  #largestFetch: number | undefined
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
    // What is made ready for a whole batch: no more than there can be.
    const common = { ...settings, batchSize: Math.min(settings.batchSize, length) }
    const fields = settings.fields.map(
      (name) => [name, special(name) ?? genericDecoder(dataset, name, common, group)] as const,
    )
    this.#maker = new BatchMaker(dataset, new Map(fields), common)
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

  /**
   * What step `step` of epoch `epoch` will do on this rank. A sample that nothing can be decided for, because its size is
   * not to be had, is thrown, whatever `onError` says.
   */
  async planStep(epoch: number, step: number): Promise<RecordedPlan> {
    nonNegativeInteger('epoch', epoch, MAX_WORD)
    if (!Number.isSafeInteger(step) || step < 0 || step >= this.steps)
      throw new HeadraceError('E_USAGE', `step must be an integer from 0 to ${this.steps - 1}, but got ${step}`)
    this.#refuseClosed('planStep')
    const plan = this.#planOf(epoch, step, this.#repeatsOf(epoch))
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
    const made = this.#maker.attempt(plan, claim, { recorded: fields }).finally(() => ring.close())
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

  /** Counts for the steps of an epoch, asked for in their order. */
  #repeatsOf(epoch: number): Repeats {
    const { sampler } = this.#settings
    return sampler.unique === true ? roundsOf(sampler) : new CountedRepeats(sampler, epoch, this.#samples)
  }

  #planOf(epoch: number, step: number, repeats: Repeats): StepPlan {
    const { sampler } = this.#settings
    sampler.prepare(epoch)
    return planStep(sampler, this.#shards, epoch, step, repeats)
  }

  #stepAt(position: number): number {
    const step = this.#shards.stepAt(position)
    if (step !== undefined) return step
    const { globalBatch, end } = this.#shards
    throw new HeadraceError(
      'E_STATE',
      `resume: position ${position} is not a multiple of the global batch (${globalBatch}), nor the end (${end})`,
    )
  }

  /** Where the consumer stands with the batch of a step, over all ranks. */
  #reach(epoch: number, position: number): void {
    // One that has no share in the last short batch must not call the epoch done before it is.
    const done = position >= this.#shards.end
    // There is no epoch behind the last one: its end stays where it is.
    const last = done && epoch === MAX_WORD
    this.#epoch = done && !last ? epoch + 1 : epoch
    this.#position = last ? this.#shards.end : done ? 0 : position
  }

  async *#iterateEpoch(): AsyncGenerator<B, void, undefined> {
    const { prefetch, timeout, signal, ringBytes, worldSize } = this.#settings
    const epoch = this.#epoch
    const repeats = this.#repeatsOf(epoch)
    const budget = this.#maker.reads ? new FetchBudget(ringBytes, this.#largestFetch) : undefined
    const ahead: Promise<Prepared>[] = []
    let next = this.#stepAt(this.#position)
    let turn = Promise.resolve()
    let current: Prepared | undefined
    let abandoned = false
    const makeAhead = () => {
      for (; next < this.steps && ahead.length < prefetch; next++) {
        const claim = new SlotClaim(this.#slotRing(), turn)
        turn = claim.settled
        ahead.push(quiet(this.#prepare(this.#planOf(epoch, next, repeats), claim, budget)))
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
        this.#refuseClosed('the next batch')
        // While this batch is in use, `prefetch` others are being made.
        makeAhead()
        this.#reach(epoch, (current.plan.step + 1) * this.#shards.globalBatch)
        // Nothing to train on. Several ranks take every step, for one of them may have samples where another has none.
        if (current.plan.ids.length === 0 && worldSize === 1) continue
        yield current.batch as B
        this.#refuseClosed('the next batch')
      }
      this.#reach(epoch, this.#shards.end)
    } catch (error) {
      abandoned = isHeadraceError(error, 'E_TIMEOUT') || isHeadraceError(error, 'E_CANCELLED')
      throw error
    } finally {
      current?.batch.release()
      budget?.close()
      this.#largestFetch = budget?.largest
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
  async #prepare(original: StepPlan, claim: SlotClaim, budget: FetchBudget | undefined): Promise<Prepared> {
    let ticket: FetchTicket | undefined
    try {
      const entering = budget?.enter()
      ticket = entering instanceof Promise ? await entering : entering
      for (;;) {
        const plan = this.#policy.admit(original)
        const result = await this.#maker.attempt(plan, claim, { ticket })
        if ('batch' in result) {
          this.#policy.delivered(original, plan)
          return result
        }
        this.#policy.failed(plan.epoch, result.faults)
      }
    } catch (error) {
      claim.drop()
      throw error
    } finally {
      ticket?.leave()
    }
  }
}

/** Marks a promise as handled: its error is met when it is awaited, perhaps never. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  return promise
}
