/**
 * Builds `dist/`, the service: `src/` compiled, the page bundled, Swagger UI copied. With `--tests` also `build/`: sources,
 * tests and benchmarks compiled. With `--if-changed` nothing is done for a folder that was built from these sources.
 */
import { parseArgs } from 'node:util'
import { build } from './compile.mjs'

const { values } = parseArgs({
  options: { tests: { type: 'boolean', default: false }, 'if-changed': { type: 'boolean', default: false } },
})
await build({ withTests: values.tests, ifChanged: values['if-changed'] })
