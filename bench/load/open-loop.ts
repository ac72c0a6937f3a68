/**
 * Packets at a fixed rate, whatever the service does (the parent's half; the load itself is a process of its own).
 *
 * Packet i is due at start + i / rate, and its latency counts from then: what waits for a free connection waits on the
 * service's account, so a slow answer cannot hide the slow ones behind it (no coordinated omission). What is late by
 * the generator's own doing is told apart in `lateMs`, and how many were never sent in `unsent`.
 */
import type { Distribution } from '../measure/statistics.js'
import { Helper } from '../stage/helper.js'
import { openLoopProgram } from '../stage/paths.js'
import type { Stage } from '../stage/stage.js'
import type { CallSet } from './packets.js'

export interface OpenLoopPlan {
  readonly port: number
  /** Requests a second. */
  readonly rate: number
  readonly seconds: number
  /** At most so many requests are in flight; what is due beyond waits here. */
  readonly connections: number
  /** Warmed up before. */
  readonly set: CallSet
  /** `live` asks `/health/live` instead: that needs a turn of the loop and no disk. */
  readonly target: 'packet' | 'live'
}

export interface SecondFigures {
  readonly accepted: number
  readonly refused: number
  readonly p99Ms: number
  readonly maxMs: number
}

export interface OpenLoopFigures {
  readonly offered: number
  readonly unsent: number
  readonly accepted: number
  /** 503 with `Retry-After`. */
  readonly refused: number
  readonly duplicate: number
  /** Any other answer; a 503 without `Retry-After` is one. */
  readonly other: number
  readonly broken: number
  /** Sent, and without an answer 15 s after the end. */
  readonly unanswered: number
  /** Of the accepted ones, from when they were due. */
  readonly latencyMs: Distribution
  /** Of the accepted ones, from when they were written. */
  readonly serviceMs: Distribution
  /** From when a packet was due and a connection free until it was written: the generator's own lateness. */
  readonly lateMs: Distribution
  readonly bySecond: readonly SecondFigures[]
}

export interface OpenLoop {
  readonly pid: number
  run(plan: OpenLoopPlan): Promise<OpenLoopFigures>
  end(): void
}

export function startOpenLoop(stage: Stage): OpenLoop {
  const helper = new Helper(stage, openLoopProgram)
  return {
    pid: helper.pid,
    run: (plan) => helper.ask('run', plan, (plan.seconds + 60) * 1000),
    end: () => helper.end(),
  }
}

/** Why the figures say more about the generator than about the service, or null. */
export function generatorFault(figures: OpenLoopFigures): string | null {
  const { lateMs, unsent, offered } = figures
  if (unsent > offered / 1000) return `${unsent} of ${offered} were never sent: every connection was busy`
  if (lateMs.p99 > 5) return `the generator itself was late by ${lateMs.p99.toFixed(1)} ms at p99`
  return null
}
