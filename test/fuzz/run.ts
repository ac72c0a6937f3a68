/** A run: blocks of inputs against one service, many connections at a time, and the accounts after each block. */
import { mebibytes } from '../torture/memory.js'
import { type Culprit, findCulprit } from './culprit.js'
import type { Area, FuzzInput } from './input.js'
import { blockInputs, blockOf } from './inputs.js'
import { Target } from './target.js'

export interface FuzzPlan {
  readonly seed: number
  readonly count: number
  readonly areas: readonly Area[]
  /** Begin with this block, to look at it again. */
  readonly firstBlock: number
  /** Find the smallest input: a seeded bug only has to be found. */
  readonly isShrinking: boolean
}

export interface FuzzVerdict {
  readonly inputs: number
  readonly accepted: number
  readonly grownMib: number
  /** Empty: every promise was kept. */
  readonly findings: readonly string[]
  readonly block: number | null
  readonly culprit: Culprit | null
}

const connections = 24
/** What code and buffers take before memory may be said to grow. */
const warmUpShare = 0.1
const warmUpInputsMin = 5000
export const grownMibMax = 32
/** What was accepted may be held: its call is in memory until it was silent for a minute (3 to 4 KB), its events stand in the feed. */
const acceptedBytes = 5 * 1024

/** The services that the areas of a run need. */
class Targets {
  readonly #open: Target | null
  readonly #guarded: Target | null

  private constructor(open: Target | null, guarded: Target | null) {
    this.#open = open
    this.#guarded = guarded
  }

  static async start(areas: readonly Area[]): Promise<Targets> {
    const open = areas.some((area) => area !== 'auth') ? await Target.start(false) : null
    return new Targets(open, areas.includes('auth') ? await Target.start(true) : null)
  }

  get #all(): readonly Target[] {
    return [this.#open, this.#guarded].filter((target) => target !== null)
  }

  of(area: Area): Target {
    const target = area === 'auth' ? this.#guarded : this.#open
    if (target === null) throw new Error(`no service was started for ${area}`)
    return target
  }

  get isDead(): boolean {
    return this.#all.some(({ isDead }) => isDead)
  }

  get accepted(): number {
    return this.#all.reduce((sum, { account }) => sum + account.accepted, 0)
  }

  get residentBytes(): number {
    return this.#all.reduce((sum, { residentBytes }) => sum + residentBytes, 0)
  }

  async end(): Promise<void> {
    for (const target of this.#all) await target.end()
  }
}

interface Shown {
  readonly findings: readonly string[]
  /** Those of the block that have shown something themselves. */
  readonly suspects: readonly FuzzInput[]
}

export async function runFuzz(plan: FuzzPlan, tell: (line: string) => void): Promise<FuzzVerdict> {
  const targets = await Targets.start(plan.areas)
  const blocks = Math.ceil(plan.count / blockInputs)
  const startedAt = performance.now()
  let warmBytes: number | null = null
  let warmAccepted = 0
  let inputs = 0
  const verdict = (shown: Partial<FuzzVerdict>): FuzzVerdict => {
    const grownMib = warmBytes === null || targets.isDead ? 0 : mebibytes(targets.residentBytes - warmBytes)
    const { accepted } = targets
    return { inputs, accepted, grownMib, findings: [], block: null, culprit: null, ...shown }
  }
  try {
    for (let block = plan.firstBlock; block < blocks; block++) {
      const area = plan.areas[block % plan.areas.length] as Area
      const all = blockOf(plan.seed, block, area, Math.min(blockInputs, plan.count - block * blockInputs))
      const { findings, suspects } = await tryBlock(targets.of(area), all)
      inputs += all.length
      if (findings.length > 0) {
        tell(`block ${block}: ${findings[0]}`)
        const culprit = plan.isShrinking ? await findCulprit([...suspects, ...all]) : null
        return verdict({ findings, block, culprit })
      }
      if (warmBytes === null && inputs >= Math.max(warmUpInputsMin, plan.count * warmUpShare))
        [warmBytes, warmAccepted] = [targets.residentBytes, targets.accepted]
      if (block % 20 === 19) {
        const seconds = Math.round((performance.now() - startedAt) / 1000)
        tell(
          `${inputs} inputs in ${seconds} s, ${targets.accepted} packets accepted, ${mebibytes(targets.residentBytes)} MiB resident`,
        )
      }
    }
    const end = verdict({})
    const heldMib = mebibytes((targets.accepted - warmAccepted) * acceptedBytes)
    return end.grownMib > grownMibMax + heldMib
      ? { ...end, findings: [`memory: ${end.grownMib} MiB more than after the warm-up`] }
      : end
  } finally {
    await targets.end()
  }
}

async function tryBlock(target: Target, inputs: readonly FuzzInput[]): Promise<Shown> {
  const left = inputs.toReversed()
  const findings: string[] = []
  const suspects: FuzzInput[] = []
  const work = async () => {
    for (let input = left.pop(); input !== undefined && !target.isDead; input = left.pop()) {
      const shown = await target.try(input)
      if (shown.length > 0) suspects.push(input)
      findings.push(...shown.map((finding) => `${finding} (${input.area}, ${input.name})`))
    }
  }
  await Promise.all(Array.from({ length: connections }, work))
  findings.push(...(await target.check()))
  return { findings, suspects }
}
