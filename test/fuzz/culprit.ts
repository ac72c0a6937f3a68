/** From a finding to the input that makes it, alone, and as small as it can be made. */
import type { FuzzInput } from './input.js'
import { Target } from './target.js'

export interface Culprit {
  readonly input: FuzzInput
  readonly findings: readonly string[]
}

/** What a finding is, without what differs from run to run. */
const kindOf = (finding: string) => finding.split(':', 1)[0] ?? finding

/** A service that is used until it has shown something; then the next one is started. */
class Alone {
  #target: Target | null = null

  async findingsOf(input: FuzzInput): Promise<readonly string[]> {
    this.#target ??= await Target.start(input.area === 'auth')
    const target = this.#target
    const findings = [...(await target.try(input)), ...(await target.check())]
    if (findings.length > 0) await this.end()
    return findings
  }

  async end(): Promise<void> {
    const target = this.#target
    this.#target = null
    await target?.end()
  }
}

const searchMsMax = 60_000
const shrinkMsMax = 30_000

/** Null when none of the inputs shows anything by itself. */
export async function findCulprit(inputs: readonly FuzzInput[]): Promise<Culprit | null> {
  const alone = new Alone()
  const until = performance.now() + searchMsMax
  try {
    for (const input of inputs) {
      if (performance.now() > until) return null
      const findings = await alone.findingsOf(input)
      if (findings.length > 0) return await shrunk(alone, { input, findings })
    }
    return null
  } finally {
    await alone.end()
  }
}

/** Takes away pieces, half the size each time, as long as the same kind of finding is left. */
async function shrunk(alone: Alone, culprit: Culprit): Promise<Culprit> {
  const kinds = new Set(culprit.findings.map(kindOf))
  const until = performance.now() + shrinkMsMax
  let best = culprit
  const attempt = async (writes: readonly Buffer[]): Promise<boolean> => {
    const kept = writes.filter((part) => part.length > 0)
    if (kept.length === 0 || performance.now() > until) return false
    const input = { ...best.input, writes: kept }
    const findings = await alone.findingsOf(input)
    if (!findings.some((finding) => kinds.has(kindOf(finding)))) return false
    best = { input, findings }
    return true
  }
  if (best.input.area !== 'ws' && best.input.writes.length > 1)
    await attempt([Buffer.concat(best.input.writes)])
  for (let part = 0; part < best.input.writes.length; part++) await shrinkPart(part)
  return best

  async function shrinkPart(part: number): Promise<void> {
    const length = () => best.input.writes[part]?.length ?? 0
    for (let size = length() >> 1; size >= 1; size >>= 1)
      for (let at = 0; at < length(); ) {
        if (performance.now() > until) return
        const writes = best.input.writes.map((bytes, index) =>
          index === part ? Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + size)]) : bytes,
        )
        if (!(await attempt(writes))) at += size
      }
  }
}
