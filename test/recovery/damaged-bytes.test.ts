/**
 * A smoke of `npm run torture -- --only damage`: bytes that change in the database while nothing runs, pages of indexes
 * included. A changed index made calls unknown, and the next packet of one began it anew.
 */
import { test } from 'node:test'
import { runDamagedBytes } from '../torture/damaged-bytes.js'
import { smoke } from '../torture/smoke.js'

/** Of so few bytes not every seed has one that is refused and one that is noticed; torture chooses its own. */
const seed = 101_246

test(
  'bytes that change anywhere in the database are refused or noticed, and never served',
  smoke((stage) => runDamagedBytes(stage, { seed, bytes: 24 })),
)
