/** The process of `open-loop`. Runs may overlap. */
import { serveTasks } from '../stage/helper.js'
import type { OpenLoopPlan } from './open-loop.js'
import { OpenLoopRun } from './open-loop-run.js'

serveTasks({ run: (plan: OpenLoopPlan) => new OpenLoopRun(plan).run() })
