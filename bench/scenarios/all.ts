/** In the order in which they run. */
import type { Scenario } from '../scenario.js'
import { bulk } from './bulk.js'
import { calls } from './calls.js'
import { cold } from './cold.js'
import { disk } from './disk.js'
import { gate } from './gate.js'
import { layers } from './layers.js'
import { loadCurve } from './load-curve.js'
import { longCall } from './long-call.js'
import { media } from './media.js'
import { nativeIngest } from './native.js'
import { openLoop } from './open-loop.js'
import { page } from './page.js'
import { restartScenario } from './restart.js'
import { saturation } from './saturation.js'

export const scenarios: readonly Scenario[] = [
  gate,
  cold,
  saturation,
  bulk,
  media,
  nativeIngest,
  openLoop,
  loadCurve,
  calls,
  longCall,
  restartScenario,
  disk,
  page,
  layers,
]
