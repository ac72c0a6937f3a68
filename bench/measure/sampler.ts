/** Looks at something again and again while something else runs. */

export interface Sample {
  /** Since the start. */
  readonly seconds: number
  readonly value: number
}

export interface Sampler {
  readonly samples: readonly Sample[]
  stop(): Promise<void>
}

/** Looks one after the other, at least `periodMs` apart. A look that fails is left out. */
export function sampleEvery(periodMs: number, look: () => number | Promise<number>): Sampler {
  const samples: Sample[] = []
  const startedAt = performance.now()
  let isStopped = false
  const looking = (async () => {
    while (!isStopped) {
      try {
        const value = await look()
        samples.push({ seconds: (performance.now() - startedAt) / 1000, value })
      } catch {
        // What is looked at may be too busy to answer: a hole in the chart says so.
      }
      await new Promise((resolve) => setTimeout(resolve, periodMs))
    }
  })()
  return {
    samples,
    stop: () => {
      isStopped = true
      return looking
    },
  }
}

export const pointsOf = (samples: readonly Sample[]) =>
  samples.map(({ seconds, value }) => [seconds, value] as const)

export const mostOf = (samples: readonly Sample[]): number => Math.max(...samples.map(({ value }) => value))
