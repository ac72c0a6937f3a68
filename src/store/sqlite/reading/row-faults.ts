/**
 * What of a call's rows no account of its life can see: texts that lie beside its entries, and what it is found by. For
 * `verify`.
 */
import type { Statement } from 'better-sqlite3'
import { StoredDamage } from '../../../errors.js'
import {
  alertName,
  alertValue,
  type Detail,
  listDetails,
  sentimentName,
} from '../../../protocol/call-details.js'
import type { LifecycleFacts } from '../../journal.js'
import type { Db } from '../files/schema.js'
import { type DetailColumns, detailChecksum } from '../row-checksum.js'
import {
  factsIn,
  type LifecycleTableRow,
  type LifecycleTextRow,
  lifecycleColumns,
  lifecycleTextColumns,
  textIn,
} from './stored-lifecycle.js'

export class RowFaults {
  readonly #texts: Statement<[number], LifecycleTextRow>
  readonly #described: Statement<[number], LifecycleTableRow>
  readonly #analysed: Statement<[number], LifecycleTableRow>
  readonly #raised: Statement<[number], LifecycleTableRow>
  readonly #details: Statement<[number], DetailRow>

  constructor(db: Db) {
    this.#texts = db.prepare(
      `SELECT ${lifecycleTextColumns} FROM lifecycle
       WHERE call_key = ? AND (text IS NOT NULL OR text_checksum IS NOT NULL) ORDER BY version`,
    )
    this.#described = db.prepare(
      `SELECT ${lifecycleColumns} FROM lifecycle WHERE call_key = ? AND type = 'described' ORDER BY version DESC LIMIT 1`,
    )
    this.#analysed = db.prepare(
      `SELECT ${lifecycleColumns} FROM lifecycle WHERE call_key = ? AND type IN ('analysed', 'heard')
       ORDER BY version DESC LIMIT 1`,
    )
    this.#raised = db.prepare(
      `SELECT ${lifecycleColumns} FROM lifecycle WHERE call_key = ? AND type = 'alert-raised'`,
    )
    this.#details = db.prepare(
      'SELECT call_key AS callKey, name, value, checksum FROM details WHERE call_key = ? ORDER BY name',
    )
  }

  of(callKey: number): readonly string[] {
    return [...this.#textFaults(callKey), ...this.#detailFaults(callKey)]
  }

  *#textFaults(callKey: number): Generator<string> {
    for (const row of this.#texts.iterate(callKey)) {
      const fault = faultOf(() => textIn(row))
      if (fault !== null) yield fault
    }
  }

  *#detailFaults(callKey: number): Generator<string> {
    const described = this.#described.get(callKey)
    const analysed = this.#analysed.get(callKey)
    const said: Detail[] = []
    const fault = faultOf(() => {
      if (described !== undefined) said.push(...listDetails((factsIn(described) as Described).details))
      said.push(...this.#alertsOf(callKey))
      if (analysed?.type !== 'analysed') return
      const { digest } = factsIn(analysed) as Analysed
      said.push({ name: sentimentName, value: digest.sentiment })
    })
    const rows = this.#details.all(callKey)
    for (const row of rows)
      if (detailChecksum(row) !== row.checksum)
        yield `the row ${JSON.stringify(row.name)} of \`details\` is damaged`
    // An entry that is damaged is told by the account.
    if (fault === null && textOf(said) !== textOf(rows))
      yield 'the rows of `details` are not what was said of it'
  }

  /** Each kind once. */
  #alertsOf(callKey: number): Detail[] {
    const raised = this.#raised.all(callKey).map((row) => (factsIn(row) as Raised).alert.kind)
    return [...new Set(raised)].map((kind) => ({ name: alertName(kind), value: alertValue }))
  }
}

interface DetailRow extends DetailColumns {
  readonly checksum: number
}

type Described = Extract<LifecycleFacts, { type: 'described' }>
type Raised = Extract<LifecycleFacts, { type: 'alert-raised' }>
type Analysed = Extract<LifecycleFacts, { type: 'analysed' }>

function textOf(details: readonly Detail[]): string {
  return details
    .map(({ name, value }) => JSON.stringify([name, value]))
    .sort()
    .join()
}

function faultOf(look: () => unknown): string | null {
  try {
    look()
    return null
  } catch (error) {
    if (error instanceof StoredDamage) return error.message
    throw error
  }
}
