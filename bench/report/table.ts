/** Reports on the terminal. The one importer of cli-table3 here. */
import Table from 'cli-table3'
import type { Environment } from '../measure/environment.js'
import type { Check, Report, ScenarioResult, TableData } from '../scenario.js'

export function formatCell(cell: string | number | null, digits = 0): string {
  if (cell === null || Number.isNaN(cell)) return '–'
  if (typeof cell === 'string') return cell
  return cell.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

const headOf = ({ columns }: TableData) =>
  columns.map(({ name, unit }) => (unit === undefined ? name : `${name}, ${unit}`))

function tableText(data: TableData): string {
  const table = new Table({
    head: headOf(data),
    colAligns: data.columns.map((_, index) => (index === 0 ? 'left' : 'right')),
    style: { head: [], border: [], compact: true },
  })
  for (const row of data.rows)
    table.push(row.map((cell, index) => formatCell(cell, data.columns[index]?.digits)))
  return `${data.title}\n${table.toString()}`
}

export const checkText = ({ name, wanted, found, isMet }: Check): string =>
  `${isMet ? 'met        ' : 'FALLS SHORT'}  ${name}: ${found} (wanted ${wanted})`

function reportText({ tables, checks, notes }: Report): string {
  return [...tables.map(tableText), ...checks.map(checkText), ...notes.map((note) => `  · ${note}`)].join(
    '\n',
  )
}

export function resultText({ name, title, elapsedSeconds, outcome }: ScenarioResult): string {
  const head = `\n━━ ${name}: ${title} (${elapsedSeconds.toFixed(0)} s)`
  if (outcome.kind === 'measured') return `${head}\n${reportText(outcome.report)}`
  return `${head}\n${outcome.kind === 'skipped' ? '!!! SKIPPED' : '!!! FAILED'}: ${outcome.reason}`
}

export function environmentText(found: Environment): string {
  const { at, node, cores, cpu, memoryMib, kernel, fileSystem, fsyncP50Ms, fsyncP99Ms, loadAverage } = found
  return `${at} · Node ${node} · ${cores} cores, ${cpu} · ${memoryMib} MiB · Linux ${kernel} · ${fileSystem}, fdatasync p50 ${fsyncP50Ms.toFixed(2)} ms, p99 ${fsyncP99Ms.toFixed(2)} ms · load average before ${loadAverage}`
}
