/** Ten thousand runs of the cluster's simulation: three nodes, one log, virtual time. */
import { simulate } from '../cluster/simulation.js'
import type { Verdict } from './verdict.js'

const seeds = 10_000

export async function runClusterSeeds(first: number): Promise<Verdict> {
  const counts = { packets: 0, messages: 0, moves: 0, fences: 0 }
  const findings: string[] = []
  let faults = 0
  for (let seed = first; seed < first + seeds && findings.length < 10; seed++) {
    const outcome = simulate(seed)
    for (const finding of outcome.findings) findings.push(`seed ${seed}: ${finding}`)
    for (const each of Object.values(outcome.faults)) faults += each
    for (const name of ['packets', 'messages', 'moves', 'fences'] as const)
      counts[name] += outcome.counts[name]
    // Whoever wants to end the run is heard.
    if (seed % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  return { counts, faults, findings }
}
