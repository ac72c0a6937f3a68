/** Rows and views that could be read, among marks for those that could not. Without the schemas, as `call-states`. */
import type { DamagedCall } from './call.js'

export function isIntact<Row extends object>(row: Row | DamagedCall): row is Exclude<Row, DamagedCall> {
  return !('damaged' in row)
}
