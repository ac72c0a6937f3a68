/** What a scenario is given, and what it hands back. Reports are plain data: printed, written as JSON, drawn. */

import type { Prefill } from './load/prefill.js'
import type { Environment } from './measure/environment.js'
import type { Stage } from './stage/stage.js'

export interface Context {
  readonly stage: Stage
  readonly prefill: Prefill
  /** Alternating rounds; medians are taken over them. */
  readonly rounds: number
  /** Of one measurement at saturation. */
  readonly seconds: number
  /** Shorter runs and smaller numbers, where a scenario says so. */
  readonly isQuick: boolean
  /** One line on what happens now. */
  tell(line: string): void
}

export interface Column {
  readonly name: string
  readonly unit?: string
  /** Decimals of numbers. */
  readonly digits?: number
}

export interface TableData {
  readonly title: string
  readonly columns: readonly Column[]
  readonly rows: readonly (readonly (string | number | null)[])[]
}

export interface Axis {
  readonly label: string
  /** `tail` is for shares of 0 to 1: it stretches 99 %, 99.9 %, 99.99 % alike. */
  readonly scale: 'linear' | 'log' | 'tail'
  readonly from?: number
}

export interface Series {
  readonly name: string
  readonly points: readonly (readonly [x: number, y: number])[]
}

export interface ChartData {
  readonly title: string
  readonly x: Axis
  readonly y: Axis
  readonly series: readonly Series[]
  /** Horizontal lines to compare with. */
  readonly bounds?: readonly { readonly y: number; readonly label: string }[]
}

/** A number that was asked for, and the one that was found. */
export interface Check {
  readonly name: string
  readonly wanted: string
  readonly found: string
  readonly isMet: boolean
  /** The whole run fails with it. */
  readonly isGate?: true
}

export interface Report {
  readonly tables: readonly TableData[]
  readonly charts: readonly ChartData[]
  readonly checks: readonly Check[]
  /** What a reader must know to judge the figures. */
  readonly notes: readonly string[]
}

export interface Scenario {
  readonly name: string
  readonly title: string
  /** One sentence: what is measured. */
  readonly summary: string
  readonly needsWrk: boolean
  run(context: Context): Promise<Report>
}

export type Outcome =
  | { readonly kind: 'measured'; readonly report: Report }
  | { readonly kind: 'skipped'; readonly reason: string }
  | { readonly kind: 'failed'; readonly reason: string }

export interface ScenarioResult {
  readonly name: string
  readonly title: string
  readonly summary: string
  readonly elapsedSeconds: number
  readonly outcome: Outcome
}

export interface Results {
  readonly environment: Environment
  readonly rounds: number
  readonly seconds: number
  readonly isQuick: boolean
  readonly scenarios: readonly ScenarioResult[]
}
