/**
 * Does what is stored of a call add up? Pure: from everything that was ever appended to it, its life is lived again from
 * the first entry on, and must be the one that its snapshot tells.
 *
 * Versions of a stored call are 1, 2, 3 … without a hole, because an append that fails ends its stream; so an entry that
 * is gone from the middle is missed although no snapshot knows it yet.
 */

import { transition } from 'xstate'
import { StoredDamage } from '../errors.js'
import { limits } from '../limits.js'
import type { CallState } from '../protocol/call.js'
import type { CallId } from '../protocol/call-id.js'
import { type Media, mediaOf, textMedia } from '../protocol/media.js'
import type { ReplayEntry } from '../store/journal.js'
import type { StoredEntry, StoredHistory } from '../store/stored-calls.js'
import { newCall } from './call-context.js'
import { type CallMachineSnapshot, callMachine } from './call-machine.js'
import { restoreSnapshot } from './call-replay.js'
import { TrackLogs } from './track-logs.js'

export interface StoredTrack {
  readonly track: number
  /** The media of its packets: as the PBX has said, else as the settings did at its first packet. */
  readonly media: Media
  readonly expectedTotal: number | null
}

export interface CallAccount {
  readonly callId: CallId
  readonly state: CallState
  readonly packets: number
  readonly expectedTotal: number | null
  /** Track 0, and every other one to which something has come. */
  readonly tracks: readonly StoredTrack[]
  /** Numbers that never came: no fault. */
  readonly missing: number
  /** Faults, the first few. */
  readonly faults: readonly string[]
}

const faultsMax = 10
/** Not lost, and not served twice. */
const inTail = ': the first is served, and the service drops the second when it folds the tail'

export function checkAccount(history: StoredHistory): CallAccount {
  const account = new Account(history)
  try {
    for (const stored of history.entries) account.take(stored)
  } catch (error) {
    if (!(error instanceof StoredDamage)) throw error
    // What comes after it cannot be told from what is gone.
    return account.result(error.message)
  }
  account.end()
  for (const fault of history.rowFaults()) account.fault(fault)
  return account.result()
}

type StoredPackets = Extract<ReplayEntry, { type: 'packet' }>

class Account {
  readonly #history: StoredHistory
  readonly #faults: string[] = []
  #state: CallMachineSnapshot
  #version = 0
  #isCompared = false
  /** Details that were never sent are in the snapshot alone. */
  #mediaInSnapshot: Media = textMedia

  constructor(history: StoredHistory) {
    const { callId, snapshot } = history
    this.#history = history
    const context = newCall(callId, snapshot.createdAt, snapshot.createdAt, new TrackLogs())
    this.#state = callMachine.resolveState({ value: 'IN_PROGRESS', context })
  }

  take({ version, entry, isInTail }: StoredEntry): void {
    if (!this.#isCompared && version > this.#history.snapshotVersion) this.#compare()
    if (version <= this.#version) this.fault(`version ${version} stands twice`)
    else if (version > this.#version + 1) this.fault(`${range(this.#version + 1, version - 1)} gone`)
    this.#version = Math.max(this.#version, version)
    if (entry.type === 'packet') this.#takePackets(entry, isInTail === true)
    else if (entry.type === 'dropped') return
    else if (this.#state.can(entry)) this.#state = transition(callMachine, this.#state, entry)[0]
    else this.fault(`${entry.type} (version ${version}) does not follow from ${this.#state.value}`)
  }

  #takePackets({ track = 0, sequence, count = 1, receivedAt }: StoredPackets, isInTail: boolean): void {
    const { context } = this.#state
    const last = sequence + count - 1
    if (last > limits.sequenceMax) return this.fault(`packet ${last} is past ${limits.sequenceMax}`)
    const of = track === 0 ? '' : ` of track ${track}`
    for (let number = sequence; number <= last; number++)
      if (context.logs.open(track).mark(number) === 'duplicate')
        return this.fault(`packet ${number}${of} is stored twice${isInTail ? inTail : ''}`)
    context.lastPacketAt = receivedAt
  }

  end(): void {
    const { snapshotVersion } = this.#history
    if (this.#version < snapshotVersion)
      this.fault(`${range(this.#version + 1, snapshotVersion)} gone, which the snapshot knows`)
    if (!this.#isCompared) this.#compare()
  }

  /** The snapshot is what a start believes. */
  #compare(): void {
    this.#isCompared = true
    const stored = this.#restore()
    if (stored === null) return
    this.#mediaInSnapshot = stored.context.details.media
    const is = figuresOf(this.#state)
    const says = figuresOf(stored)
    const first = Object.keys(is).find((name) => is[name] !== says[name])
    if (first === undefined) return
    const values = ['receive log', 'description', 'legs'].includes(first)
      ? ''
      : `: ${says[first]}, but ${is[first]} in the journal`
    this.fault(`the snapshot says another ${first}${values}`)
  }

  #restore(): CallMachineSnapshot | null {
    const { callId, snapshot } = this.#history
    try {
      return restoreSnapshot(callId, snapshot)
    } catch {
      this.fault('the snapshot cannot be read')
      return null
    }
  }

  fault(text: string): void {
    if (this.#faults.length < faultsMax) this.#faults.push(text)
  }

  result(last?: string): CallAccount {
    const { value, context } = this.#state
    return {
      callId: this.#history.callId,
      state: value,
      packets: context.logs.totalReceived,
      expectedTotal: context.logs.expectedTotal,
      tracks: context.logs.all().map(({ track, log }) => ({
        track,
        media: context.describedAt === null ? this.#mediaInSnapshot : mediaOf(context.details, track),
        expectedTotal: log.expectedTotal,
      })),
      missing: context.logs.missingCount,
      faults: last === undefined ? this.#faults : [...this.#faults, last],
    }
  }
}

/** A call's past as its snapshot tells it, by the words for it. */
function figuresOf({
  value,
  context,
}: CallMachineSnapshot): Readonly<Record<string, string | number | null>> {
  const { logs } = context
  return {
    state: value,
    reason: context.reason,
    // Without a word from the PBX, the settings decide.
    description: context.describedAt === null ? null : JSON.stringify(context.details),
    'completed at': context.completedAt,
    'ended at': context.endedAt,
    'last packet at': context.lastPacketAt,
    'total received': logs.totalReceived,
    'expected total': logs.expectedTotal,
    'highest sequence': logs.highestSequence,
    'missing count': logs.missingCount,
    'late count': logs.lateCount,
    legs: JSON.stringify(context.legs),
    'receive log': logs.snapshot().join(),
  }
}

function range(first: number, last: number): string {
  return first === last ? `version ${first} is` : `versions ${first} to ${last} are`
}
