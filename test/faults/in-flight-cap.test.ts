/** Guards against a service that takes every request until its memory is gone. */
import { test } from 'node:test'
import { runOverInFlightCap } from '../torture/in-flight-cap.js'
import { smoke } from '../torture/smoke.js'

test(
  'requests over the cap are told when to come back, and all those under it are stored',
  smoke((stage) => runOverInFlightCap(stage, { surplus: 100 })),
)
