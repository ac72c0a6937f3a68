/** A layer that is timed alone. */
export interface LayerSample {
  readonly operations: number
  readonly elapsedMs: number
}

export interface Layer {
  readonly name: string
  sample(): LayerSample | Promise<LayerSample>
}

/** What a loop computes goes here, so that the compiler cannot leave the loop out. */
export const kept = { value: 0 as unknown }

const out = Buffer.alloc(4096)

/** As a socket does: a text that was only pieced together is made whole when it is written. */
export const writeOut = (text: string): number => out.write(text, 'latin1')

/** `prepare` is not timed. */
export function layer<State>(
  name: string,
  operations: number,
  prepare: () => State,
  work: (state: State, operations: number) => void,
): Layer {
  return {
    name,
    sample: () => {
      const state = prepare()
      const startedAt = performance.now()
      work(state, operations)
      return { operations, elapsedMs: performance.now() - startedAt }
    },
  }
}
