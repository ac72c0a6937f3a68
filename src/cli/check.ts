/** Checks a database of calls: its file, its log, the account of every call. Pure but for the loop that it lets run. */

import { setImmediate as loopTurn } from 'node:timers/promises'
import { type CallAccount, checkAccount } from '../actors/stored-account.js'
import { messageOf } from '../errors.js'
import type { CallState } from '../protocol/call.js'
import { callStates } from '../protocol/call-states.js'
import { isUnreadable } from '../store/sqlite/files/sqlite-error.js'
import type { StoredCalls } from '../store/stored-calls.js'

export interface StateReport {
  readonly state: CallState
  calls: number
  packets: number
  missing: number
  calls_with_gaps: number
  damaged_calls: number
}

/** The shape of `verify --json`. */
export interface CheckReport {
  readonly path: string
  readonly schema_version: number
  readonly bytes: number
  readonly good: boolean
  readonly calls: number
  readonly packets: number
  readonly missing: number
  readonly calls_with_gaps: number
  readonly damaged_calls: number
  readonly states: readonly StateReport[]
  /** The calls that miss most, the most first. Missing numbers are the network's doing, and no damage. */
  readonly largest_gaps: readonly { readonly call_id: string; readonly missing: number }[]
  /** Of the file as a whole. */
  readonly faults: readonly string[]
  /** The first that were found; `damaged_calls` counts all. */
  readonly damaged: readonly { readonly call_id: string; readonly faults: readonly string[] }[]
}

const faultsListedMax = 100
const damagedListedMax = 1000
const largestGapsMax = 10
const turnMs = 50

/** `checked` is told how many calls have been looked at. */
export async function checkStoredCalls(
  stored: StoredCalls,
  checked: (calls: number) => void,
): Promise<CheckReport> {
  const check = new Check()
  check.addFaults(stored.logFaults())
  await check.attempt(async () => check.addFaults(await stored.integrityFaults()))
  await check.attempt(async () => check.addFaults(stored.strayFaults()))
  await check.attempt(() => check.addCalls(stored, checked))
  return check.report(stored)
}

class Check {
  readonly #states = new Map<CallState, StateReport>(
    callStates.map((state) => [
      state,
      { state, calls: 0, packets: 0, missing: 0, calls_with_gaps: 0, damaged_calls: 0 },
    ]),
  )
  readonly #faults: string[] = []
  /** Calls of which not even the state can be said. */
  #unreadable = 0
  readonly #damaged: { call_id: string; faults: readonly string[] }[] = []
  #largestGaps: { call_id: string; missing: number }[] = []

  addFaults(faults: readonly string[]): void {
    this.#faults.push(...faults.slice(0, faultsListedMax - this.#faults.length))
  }

  /** What a damaged file makes SQLite throw is an answer, too. */
  async attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (!isUnreadable(error)) throw error
      this.addFaults([`cannot be read further: ${messageOf(error)}`])
    }
  }

  async addCalls(stored: StoredCalls, checked: (calls: number) => void): Promise<void> {
    let calls = 0
    let turnAt = performance.now()
    for (const history of stored.histories((fault, callId) => this.#addDamage(fault.message, callId))) {
      this.#add(checkAccount(history))
      checked(++calls)
      if (performance.now() - turnAt < turnMs) continue
      await loopTurn()
      turnAt = performance.now()
    }
  }

  #addDamage(fault: string, callId: string | undefined): void {
    if (callId === undefined) return this.addFaults([fault])
    this.#unreadable++
    if (this.#damaged.length < damagedListedMax) this.#damaged.push({ call_id: callId, faults: [fault] })
  }

  #add({ callId, state, packets, missing, faults }: CallAccount): void {
    const report = this.#states.get(state)
    if (report === undefined) throw new Error(`no calls are counted for ${state}`)
    report.calls++
    report.packets += packets
    report.missing += missing
    if (missing > 0) {
      report.calls_with_gaps++
      this.#largestGaps.push({ call_id: callId, missing })
      this.#largestGaps = this.#largestGaps.sort((a, b) => b.missing - a.missing).slice(0, largestGapsMax)
    }
    if (faults.length === 0) return
    report.damaged_calls++
    if (this.#damaged.length < damagedListedMax) this.#damaged.push({ call_id: callId, faults })
  }

  report({ path, schemaVersion, bytes }: StoredCalls): CheckReport {
    const states = [...this.#states.values()]
    const sum = (pick: (report: StateReport) => number) =>
      states.reduce((total, report) => total + pick(report), 0)
    const damagedCalls = sum((report) => report.damaged_calls) + this.#unreadable
    return {
      path,
      schema_version: schemaVersion,
      bytes,
      good: damagedCalls === 0 && this.#faults.length === 0,
      calls: sum((report) => report.calls) + this.#unreadable,
      packets: sum((report) => report.packets),
      missing: sum((report) => report.missing),
      calls_with_gaps: sum((report) => report.calls_with_gaps),
      damaged_calls: damagedCalls,
      states,
      largest_gaps: this.#largestGaps,
      faults: this.#faults,
      damaged: this.#damaged,
    }
  }
}

/** A line for each thing that is wrong. */
export function describeDamage({ faults, damaged, damaged_calls }: CheckReport): string[] {
  const unlisted = damaged_calls - damaged.length
  return [
    ...faults.map((fault) => `damaged: ${fault}`),
    ...damaged.map(({ call_id, faults: found }) => `damaged: call ${call_id}: ${found.join('; ')}`),
    ...(unlisted > 0 ? [`damaged: ${unlisted} more calls`] : []),
  ]
}
