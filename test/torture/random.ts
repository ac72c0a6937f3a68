/** Chance with a seed: a failure prints it, and the same seed makes the same choices again. */

export interface Random {
  /** 0 … 1, without 1. */
  next(): number
  /** `first` … `last`, both included. */
  integer(first: number, last: number): number
  chance(share: number): boolean
  pick<T>(items: readonly T[]): T
}

/** SplitMix32: short, and good enough to choose moments and packets. */
export function randomOf(seed: number): Random {
  let state = seed | 0
  const next = () => {
    state = (state + 0x9e3779b9) | 0
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32
  }
  const integer = (first: number, last: number) => first + Math.floor(next() * (last - first + 1))
  return {
    next,
    integer,
    chance: (share) => next() < share,
    pick: (items) => items[integer(0, items.length - 1)] as (typeof items)[number],
  }
}

/** From `VSTEST_SEED`, or a new one. Whoever uses it prints it. */
export function seedFromEnvironment(): number {
  const given = process.env['VSTEST_SEED']
  return given === undefined ? Math.floor(Math.random() * 1_000_000) : Number(given)
}
