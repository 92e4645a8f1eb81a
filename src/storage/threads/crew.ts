import { HeadraceError } from '../../errors.ts'
import type { StoreSpec } from '../types.ts'
import type { StoreOptions } from '../url.ts'
import { clock } from './clock.ts'
import { type MemberReport, ThreadMember } from './member.ts'
import { SharedMemory } from './shared-memory.ts'

/** The worker threads of a store. They are started when there is work for them, and again where one has died. */
export class Crew {
  readonly #spec: StoreSpec
  readonly #secrets: StoreOptions
  readonly #most: number
  #members: ThreadMember[] = []
  #memory: SharedMemory | undefined
  #closing: Promise<void> | undefined

  constructor(spec: StoreSpec, secrets: StoreOptions, workers: number) {
    this.#spec = spec
    this.#secrets = secrets
    this.#most = workers
  }

  get workers(): number {
    return this.#most
  }

  get memory(): SharedMemory {
    this.#check()
    this.#memory ??= new SharedMemory()
    return this.#memory
  }

  /** The least busy one, or a new one where all are busy and there may be more. */
  member(): ThreadMember {
    this.#check()
    let least: ThreadMember | undefined
    for (const member of this.#members) if (least === undefined || member.load < least.load) least = member
    if (least !== undefined && (least.load === 0 || this.#members.length === this.#most)) return least
    const data = { spec: this.#spec, secrets: this.#secrets, memory: this.memory.number, clock: clock() }
    const member: ThreadMember = new ThreadMember(this.#spec.url, data, () => {
      this.#members = this.#members.filter((each) => each !== member)
    })
    this.#members.push(member)
    return member
  }

  report(): readonly MemberReport[] {
    return this.#members.map((member) => member.report())
  }

  close(): Promise<void> {
    this.#closing ??= this.#end()
    return this.#closing
  }

  async #end(): Promise<void> {
    await Promise.all(this.#members.map((member) => member.close()))
    this.#memory?.close()
  }

  #check(): void {
    if (this.#closing === undefined) return
    const { url } = this.#spec
    throw new HeadraceError('E_STATE', `${url} is closed`, { url })
  }
}
