/** Writes what is generated of `docs/` out of the compiled schemas. */
import { writeFileSync } from 'node:fs'
import { eventReference } from '../dist/protocol/event-reference.js'

writeFileSync('docs/events.md', eventReference())
