/** What must be true of a simulated cluster when it has come to rest, judged from the log and the files alone. */
import { decodeMessage } from '../../src/store/cluster/message.js'
import { OwnerTable } from '../../src/store/cluster/owner-table.js'
import { subjectOf } from '../../src/store/cluster/subjects.js'
import type { LogMessage } from '../../src/store/log.js'
import { partitionOf } from '../../src/store/partitions.js'
import { packetsOf } from '../../src/store/sqlite/packet-record.js'
import { keyOf, type Row, type SimFile } from './sim-file.js'

interface Judged {
  /** Every message that the log ever stored. */
  readonly history: readonly LogMessage[]
  /** Packets of which somebody was told that they are stored, and how often they were accepted, not known as duplicates. */
  readonly accepted: ReadonlyMap<string, number>
  readonly files: ReadonlyMap<string, SimFile>
  /** The tables that the nodes go by. */
  readonly tables: ReadonlyMap<string, OwnerTable>
}

export function judge({ history, accepted, files, tables }: Judged): string[] {
  const { rows, table, findings } = read(history)
  const inLog = new Set(rows.map(({ key }) => key))
  for (const [key, times] of accepted) {
    if (!inLog.has(key)) findings.push(`packet ${key} was acknowledged and is not in the log`)
    if (times > 1) findings.push(`packet ${key} was accepted ${times} times`)
  }
  const wanted = table.snapshot()
  for (const [name, file] of files) findings.push(...differences(name, file, rows, history.length, wanted))
  for (const [name, own] of tables)
    if (own.snapshot() !== wanted) findings.push(`${name} goes by another table of owners than the log's`)
  return findings
}

function read(history: readonly LogMessage[]): { rows: Row[]; table: OwnerTable; findings: string[] } {
  const findings: string[] = []
  const rows: Row[] = []
  const seen = new Set<string>()
  const table = new OwnerTable()
  for (const { sequence, subject, body } of history) {
    const message = decodeMessage(body)
    for (const { callKey, sequence: number } of packetsOf(new Uint8Array(message.records))) {
      const key = keyOf(callKey, number)
      const owner = table.ownerOf(partitionOf(`call-${callKey}`))
      if (owner !== message.node || subject !== subjectOf(message.node))
        findings.push(`message ${sequence}: ${message.node} wrote packet ${key}, whose owner was ${owner}`)
      if (seen.has(key)) findings.push(`message ${sequence}: packet ${key} is in the log twice`)
      seen.add(key)
      rows.push({ at: sequence, key })
    }
    table.apply({ ...message, sequence, subject })
  }
  return { rows, table, findings }
}

function differences(
  name: string,
  file: SimFile,
  rows: readonly Row[],
  last: number,
  table: string,
): string[] {
  const findings: string[] = []
  if (file.position !== last)
    findings.push(`the file of ${name} is at ${file.position}, and the log at ${last}`)
  const at = rows.findIndex((row, index) => row.key !== file.rows[index]?.key)
  if (at >= 0 || file.rows.length !== rows.length)
    findings.push(`the file of ${name} has ${file.rows.length} packets, not the ${rows.length} of the log`)
  if (file.table !== table) findings.push(`the file of ${name} has another table of owners than the log`)
  return findings
}
