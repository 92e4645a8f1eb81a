import { setMaxListeners } from 'node:events'
import { performance } from 'node:perf_hooks'
import { nonNegativeInteger, positiveInteger } from '../checks.ts'
import type { Dataset } from '../datasets/types.ts'
import { HeadraceError, isHeadraceError, throwIfAborted } from '../errors.ts'
import { log } from '../log.ts'
import { native } from '../native.ts'
import { MAX_WORD } from '../sampling/random.ts'
import { type ShardPlan, shardPlan } from '../sampling/shards.ts'
import { Ahead, type AheadBounds, type Making } from './ahead.ts'
import { BatchMaker, type Prepared } from './batch-maker.ts'
import { within } from './deadline.ts'
import { Delivery, stepsOf } from './delivery.ts'
import { FaultPolicy, faultError, type RowFault } from './faults.ts'
import { FetchBudget, type FetchTicket } from './fetch-budget.ts'
import { genericDecoder } from './fields.ts'
import { type LoaderOptions, type LoaderSettings, settle } from './options.ts'
import { OrderedReads, reachOf } from './ordered-reads.ts'
import { planStep, type StepPlan } from './plan.ts'
import { Reading } from './reading.ts'
import { checkRecordedPlan, type RecordedPlan } from './recorded-plan.ts'
import { CountedRepeats, type Repeats, roundsOf } from './repeats.ts'
import type { LoaderReport } from './report.ts'
import { OWN_SLOTS, SlotClaim, type SlotMaker, SlotRing } from './slots.ts'
import { checkState, fingerprintOf, type LoaderState } from './state.ts'
import { StepFetch } from './step-fetch.ts'
import { type Tunable, Tuner } from './tuner.ts'
import type { Batch, DecoderFactory } from './types.ts'

/** How long the end of a loop waits for batches that are still being made, ms: a read may never come back. */
const END_GRACE = 1000
/** How long a consumer that holds every slot has to give one back, ms: it may do so elsewhere than where it waits. */
const STARVED_AFTER = 1000
/** As many slots as `prefetch` may ask for. */
const MAX_HELD = 1024

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
  readonly #dataset: Dataset
  readonly #settings: LoaderSettings
  readonly #fingerprint: string
  readonly #maker: BatchMaker
  readonly #samples: number
  readonly #policy: FaultPolicy
  readonly #shards: ShardPlan
  readonly #slotMaker: SlotMaker
  readonly #reading: Reading
  readonly #tuner: Tuner | undefined
  readonly #bounds: AheadBounds
  #ahead: Ahead | undefined
  /** Ends what is read for the epoch. */
  #stop: AbortController | undefined
  /** Of the epoch that is under way. */
  #delivery: Delivery | undefined
  #waited = 0
  #ring: SlotRing | undefined
  #largestFetch: number | undefined
  #epoch: number
  #position: number
  #iterating = false
  #closed = false

  constructor(
    source: Dataset,
    options: LoaderOptions,
    decoders: (settings: LoaderSettings, group: number) => DecoderFactory,
    slotMaker: SlotMaker = OWN_SLOTS,
  ) {
    this.#slotMaker = slotMaker
    if (options.resume !== undefined) checkState(options.resume)
    const settings = settle(source, options)
    const dataset = source.randomAccess === false ? new OrderedReads(source, reachOf(settings)) : source
    this.#dataset = dataset
    const { length } = settings.sampler
    this.#settings = settings
    this.#fingerprint = fingerprintOf(dataset, settings.order, length)
    if (options.resume !== undefined && options.resume.fingerprint !== this.#fingerprint)
      throw new HeadraceError('E_STATE', 'resume: the state was made over another dataset or order', {
        hint: 'pass the dataset and the options of the order (shuffle, sampler, weights, window ...) that the state was made with',
      })
    this.#shards = shardPlan({ ...settings, length })
    if (this.#shards.end === 0 && length > 0)
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
    this.#delivery = this.#resumed(options.resume)
    const { prefetch, prefetchBytes, collateBufferSize, mode } = settings
    this.#bounds = { prefetch, bytes: prefetchBytes, samples: collateBufferSize, mode }
    this.#refuseUnread(settings)
    this.#reading = new Reading(dataset, this.#maker.fetches ? settings : { ...settings, workers: 0 })
    this.#tuner = this.#newTuner(settings)
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
    const { seed, generatorSeed, tail, rank, worldSize } = this.#settings
    const { globalBatch, end } = this.#shards
    const delivered = this.#delivery?.ranges(globalBatch, end) ?? []
    return {
      version: 1,
      fingerprint: this.#fingerprint,
      seed,
      ...(generatorSeed === seed ? {} : { generatorSeed }),
      epoch: this.#epoch,
      position: this.#position,
      tail,
      globalBatch,
      ...(delivered.length > 0 && { delivered }),
      ...(delivered.length > 0 && worldSize > 1 && { deliveredBy: { rank, worldSize } }),
    }
  }

  /** The epoch that the next `for await` starts with, from its beginning. */
  setEpoch(epoch: number): void {
    nonNegativeInteger('epoch', epoch, MAX_WORD)
    this.#refuseWhileIterating('setEpoch')
    this.#epoch = epoch
    this.#position = 0
    this.#delivery = undefined
  }

  /** What was done until now: bad samples, who reads, how long the consumer waited, what `autoTune` moved. */
  report(): LoaderReport {
    const { inflight, workers } = this.#reading
    return {
      ...this.#policy.report(),
      workers: this.#reading.report(),
      flow: { prefetch: this.#bounds.prefetch, inflight, workers },
      waited: this.#waited,
      tuning: [...(this.#tuner?.moves ?? [])],
    }
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
      fields: await this.#alone((fetch) => this.#maker.record(plan, fetch)),
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
    const made = this.#alone((fetch) => this.#maker.attempt(plan, claim, { recorded: fields, fetch })).finally(() =>
      ring.close(),
    )
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

  [Symbol.asyncIterator](): AsyncGenerator<B, void, undefined> {
    return this.#iterate(undefined)
  }

  /**
   * Iterates as `for await` does, but a batch keeps its memory until its `release()`, also behind the end of the
   * iteration. At most `held` of them at once, which have a slot each: whoever asks for the next one while there is no
   * slot for it, and gives none back within a second, gets E_LIMIT.
   */
  leases(held = 1): AsyncGenerator<B, void, undefined> {
    positiveInteger('held', held, MAX_HELD)
    return this.#iterate(held)
  }

  /** `held`: batches that stay with the consumer; undefined: each goes at the next step. */
  async *#iterate(held: number | undefined): AsyncGenerator<B, void, undefined> {
    this.#refuseWhileIterating('another iteration')
    this.#iterating = true
    let whole = false
    try {
      const { prefetch, tune } = this.#settings
      this.#makeRing(Math.max(prefetch, tune?.maxPrefetch ?? 0) + (held ?? 1))
      for (let count = 0; count < this.#settings.epochs; count++) yield* this.#iterateEpoch(held !== undefined)
      whole = true
    } finally {
      this.#iterating = false
      // After a break or an error nothing is kept; after a whole epoch the slots wait for the next one.
      if (!whole) this.#dropRing()
    }
  }

  /** Frees the slots and ends worker threads. A batch that is still out keeps its memory until it is released. */
  close(): void {
    this.#closed = true
    this.#ahead?.stop()
    this.#stop?.abort(new HeadraceError('E_STATE', 'the next batch: the loader is closed'))
    this.#dropRing()
    void this.#reading.close()
  }

  /** Closes it, and waits for its worker threads to end. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close()
    await this.#reading.close()
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

  /** Slots in the consumer's hands, and `prefetch` being made. */
  #makeRing(slots: number): void {
    if (this.#ring !== undefined && this.#ring.maxSlots !== slots) this.#dropRing()
    this.#ring ??= new SlotRing(slots, this.#settings.ringBytes, this.#slotMaker)
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
    if (done && !last) this.#delivery = undefined
  }

  async *#iterateEpoch(stays: boolean): AsyncGenerator<B, void, undefined> {
    const { timeout, signal, ringBytes, worldSize } = this.#settings
    const { globalBatch, end } = this.#shards
    const epoch = this.#epoch
    const repeats = this.#repeatsOf(epoch)
    const budget = this.#maker.reads ? new FetchBudget(ringBytes, this.#largestFetch) : undefined
    const delivery = this.#delivery ?? new Delivery(this.#stepAt(this.#position))
    const stop = new AbortController()
    // Every step listens.
    setMaxListeners(0, stop.signal)
    const unlink = link(signal, stop)
    const watched = stays && this.#slotMaker.full === undefined
    // What the consumer keeps is not waited for at the batch's expense.
    const late = (ms: number) => (stays && ahead.hungry ? undefined : ahead.timedOut(ms, this.#dataset))
    let turn = Promise.resolve()
    const ahead = new Ahead(stepsFrom(delivery, this.steps), this.#bounds, (step) => {
      const claim = new SlotClaim(this.#ring as SlotRing, turn)
      // Where steps come as they complete, none waits for the reading of one before it.
      if (this.#bounds.mode === 'ordered') turn = claim.settled
      const fetch = new StepFetch(this.#reading.reader, stop.signal)
      const made = quiet(this.#prepare(() => this.#planOf(epoch, step, repeats), claim, fetch, budget))
      return { step, samples: this.#shards.slice(step).size, claim, fetch, made }
    })
    this.#delivery = delivery
    this.#ahead = ahead
    this.#stop = stop
    this.#reading.begin()
    this.#tuner?.begin()
    let current: Prepared | undefined
    let abandoned = false
    try {
      while (!ahead.done) {
        throwIfAborted(signal, 'loading')
        if (!stays) current?.batch.release()
        current = undefined
        ahead.fill()
        const asked = performance.now()
        const next = takeHead(ahead)
        const [making, prepared] = await within(watched ? fed(next, ahead) : next, timeout, signal, late)
        const waited = performance.now() - asked
        current = prepared
        ahead.take(making)
        this.#refuseClosed('the next batch')
        this.#waited += waited
        this.#tuner?.delivered({ epoch, step: making.step, samples: making.samples, waited })
        // While this batch is in use, `prefetch` others are being made.
        ahead.fill()
        delivery.add(making.step)
        this.#reach(epoch, delivery.first * globalBatch)
        // Nothing to train on. Several ranks take every step, for one of them may have samples where another has none.
        if (current.plan.ids.length === 0 && worldSize === 1) {
          current.batch.release()
          continue
        }
        yield current.batch as B
        this.#refuseClosed('the next batch')
      }
      this.#reach(epoch, end)
    } catch (error) {
      abandoned = isHeadraceError(error, 'E_TIMEOUT') || isHeadraceError(error, 'E_CANCELLED')
      throw error
    } finally {
      if (!stays) current?.batch.release()
      ahead.stop()
      unlink()
      stop.abort(new HeadraceError('E_CANCELLED', 'nobody wants this batch any more'))
      budget?.close()
      this.#largestFetch = budget?.largest
      // What is still being made comes to its end and is given back. Where the time is up, nobody wants it any more or a
      // read hangs, that happens behind our back: the native side keeps the memory until then.
      const given = ahead.open.map(({ made, claim }) => {
        const end = made.then(
          ({ batch }) => batch.release(),
          () => {},
        )
        // Who waits for a slot that the consumer keeps ends when the slots go.
        return claim.hungry ? undefined : end
      })
      if (!abandoned) await within(Promise.all(given), END_GRACE, undefined).catch(() => {})
      this.#ahead = undefined
      this.#stop = undefined
      this.#reading.end()
    }
  }

  /** Makes the batch of a plan; where samples are bad, the batch that the policy makes of it. */
  async #prepare(
    planned: () => StepPlan,
    claim: SlotClaim,
    fetch: StepFetch,
    budget: FetchBudget | undefined,
  ): Promise<Prepared> {
    let ticket: FetchTicket | undefined
    try {
      const original = planned()
      const entering = budget?.enter()
      ticket = entering instanceof Promise ? await entering : entering
      for (;;) {
        const plan = this.#policy.admit(original)
        const result = await this.#maker.attempt(plan, claim, { fetch, ticket })
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
      fetch.close()
      ticket?.leave()
    }
  }

  /** For a batch that is none of an epoch's. */
  async #alone<T>(work: (fetch: StepFetch) => Promise<T>): Promise<T> {
    const stop = new AbortController()
    const unlink = link(this.#settings.signal, stop)
    const fetch = new StepFetch(this.#reading.local, stop.signal)
    try {
      return await work(fetch)
    } finally {
      fetch.close()
      unlink()
    }
  }

  /** What a state says was delivered behind its position. */
  #resumed(state: LoaderState | undefined): Delivery | undefined {
    if (this.#position === 0 && state?.delivered === undefined) return undefined
    const first = this.#stepAt(this.#position)
    const { delivered = [], deliveredBy: by } = state ?? {}
    const { rank, worldSize } = this.#settings
    const whose = by ?? { rank: 0, worldSize: 1 }
    if (delivered.length > 0 && (whose.rank !== rank || whose.worldSize !== worldSize))
      throw new HeadraceError(
        'E_STATE',
        `resume: the state is of rank ${whose.rank} of ${whose.worldSize} and has batches out of their order, which rank ${rank} of ${worldSize} cannot go on with`,
        { hint: 'resume with as many ranks, or take the state of an ordered loader or of the end of an epoch' },
      )
    return new Delivery(first, stepsOf(delivered, this.#shards.globalBatch, this.#shards.end))
  }

  /** E_UNSUPPORTED for options about reading where nothing is read. */
  #refuseUnread({ parts, pageCache }: LoaderSettings): void {
    if (this.#maker.fetches || (parts === undefined && pageCache === undefined)) return
    const name = parts === undefined ? 'pageCache' : 'readerMode'
    throw new HeadraceError(
      'E_UNSUPPORTED',
      `${name}: the samples of this dataset lie in mapped files and are not read`,
    )
  }

  #newTuner({ tune }: LoaderSettings): Tuner | undefined {
    if (tune === undefined) return undefined
    const reading = this.#reading
    const bounds = this.#bounds
    const maxWorkers = this.#maker.fetches && reading.mayHaveWorkers ? tune.maxWorkers : 0
    const pipeline: Tunable = {
      get: (knob) => (knob === 'prefetch' ? bounds.prefetch : reading[knob]),
      set: (knob, value) => {
        if (knob === 'prefetch') bounds.prefetch = value
        else reading[knob] = value
      },
      queuedMs: () => reading.queuedMs,
      busy: () => reading.busy(),
      ready: () => this.#ahead?.ready ?? 0,
    }
    return new Tuner(pipeline, { ...tune, maxWorkers }, ({ epoch, step, knob, from, to, reason }) =>
      log('info', `autoTune: ${knob} ${from} -> ${to} after step ${step} of epoch ${epoch}: ${reason}`),
    )
  }
}

/**
 * Ends what `stop` ends when the user's signal says so, until what is returned is called. The signal may live longer than
 * an iteration that was dropped in the middle: it holds nothing of it.
 */
function link(signal: AbortSignal | undefined, stop: AbortController): () => void {
  if (signal === undefined) return () => {}
  const weak = new WeakRef(stop)
  const onAbort = () =>
    weak.deref()?.abort(new HeadraceError('E_CANCELLED', 'loading was cancelled', { cause: signal.reason }))
  if (signal.aborted) onAbort()
  signal.addEventListener('abort', onAbort, { once: true })
  return () => signal.removeEventListener('abort', onAbort)
}

/** The steps of an epoch that are still to be delivered. */
function* stepsFrom(delivery: Delivery, steps: number): Generator<number> {
  for (let step = delivery.first; step < steps; step++) if (!delivery.has(step)) yield step
}

async function takeHead(ahead: Ahead): Promise<readonly [Making, Prepared]> {
  const making = await ahead.head()
  return [making, await making.made]
}

/** A batch for a consumer that may hold every slot. E_LIMIT where it does for too long. */
async function fed<T>(next: Promise<T>, ahead: Ahead): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const starved = new Promise<never>((_, reject) => {
    const look = (before: boolean) => {
      const { hungry } = ahead
      if (before && hungry)
        reject(
          new HeadraceError('E_LIMIT', 'every slot is held by a batch that was not released', {
            hint: 'release batches sooner, or allow more of them',
          }),
        )
      else timer = setTimeout(look, STARVED_AFTER, hungry)
    }
    look(false)
  })
  try {
    return await Promise.race([next, starved])
  } finally {
    clearTimeout(timer)
  }
}

/** Marks a promise as handled: its error is met when it is awaited, perhaps never. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  return promise
}
