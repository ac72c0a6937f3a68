/** The inputs of a run, block by block: a block has one area, calls of its own, and follows from seed and number alone. */
import { randomOf } from '../torture/random.js'
import { authInput } from './auth-inputs.js'
import { type Ground, inputOf } from './ground.js'
import { httpGenerators } from './http-inputs.js'
import type { Area, FuzzInput } from './input.js'
import { jsonInput } from './json-inputs.js'
import { websocketInput } from './websocket-inputs.js'

export const blockInputs = 250
/** As a small PBX, a SIP device, and somebody who looks for a place that does not expect it name calls. */
const callNames = ['1', 'a84b4c@10.0.0.1', '%41/"\\<{[::1]}>']

export function blockOf(seed: number, block: number, area: Area, count: number): readonly FuzzInput[] {
  const random = randomOf(Math.imul(seed + 1, 0x9e3779b1) ^ block)
  const calls = callNames.map((name) => `block-${block}-${name}`)
  return Array.from({ length: count }, (_, index) =>
    inputFor(area, { random, calls, started: `block-${block}-started`, number: block * blockInputs + index }),
  )
}

function inputFor(area: Area, ground: Ground): FuzzInput {
  if (area === 'json') return inputOf(area, ...jsonInput(ground))
  if (area === 'auth') return inputOf(area, ...authInput(ground))
  if (area === 'ws') return inputOf(area, ...websocketInput(ground))
  const name = ground.random.pick(Object.keys(httpGenerators))
  return inputOf(area, name, httpGenerators[name]?.(ground) ?? [])
}
