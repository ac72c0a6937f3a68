/** Guards against a queue that waits for ever behind somebody else's lock, and against a service that does not return. */
import { test } from 'node:test'
import { runForeignLock } from '../torture/foreign-lock.js'
import { smoke } from '../torture/smoke.js'

test(
  'while another process holds the database, requests are refused in time, and none acknowledged is lost',
  smoke((stage, seed) => runForeignLock(stage, { seed, holdMs: 2500 })),
)
