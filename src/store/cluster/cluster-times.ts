/** How nodes wait for each other. None of it is needed for safety: a claim that comes too early costs answers of 503. */
import type { Millis } from '../../clock.js'

/** A node that has nothing to write says so often that it lives. */
export const tickMs: Millis = 500
/** How often a node looks at the others. */
export const lookMs: Millis = 250
/** A node without a connection is gone after so many ticks of who looks, and so long. */
export const goneTicks = 3
export const goneMs: Millis = 1500
/** Whatever its connection says. */
export const silentTicks = 8
export const silentMs: Millis = 5000
/** A node is given partitions once it has been heard for so long. */
export const joinMs: Millis = 3000
/** A node whose own messages have not come back for so long does not know whether it was fenced. */
export const staleMs: Millis = 2000
/** Between two attempts of an append whose outcome is unknown. */
export const retryMs: Millis = 20
export const retryMsMax: Millis = 50
