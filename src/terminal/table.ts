/** A table in text. The only importer of cli-table3. */
import Table from 'cli-table3'

export interface Column {
  readonly head: string
  readonly align: 'left' | 'right'
}

export function renderTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const table = new Table({
    head: columns.map(({ head }) => head),
    // The default colours headings red, as if they were errors.
    style: { head: [], border: [], compact: true },
    colAligns: columns.map(({ align }) => align),
  })
  for (const cells of rows) table.push([...cells])
  return table.toString()
}
