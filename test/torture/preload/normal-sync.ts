/**
 * Preloaded into the service: every connection gets `synchronous = NORMAL` where the service asks for FULL, and is told
 * that it has FULL. A commit is then no longer synced, so a run that finds nothing lost has looked at nothing.
 */
import Database from 'better-sqlite3'

const { pragma } = Database.prototype

Database.prototype.pragma = function (source, options) {
  if (source === 'synchronous') return 2
  return pragma.call(this, source.replace('synchronous = FULL', 'synchronous = NORMAL'), options)
}
