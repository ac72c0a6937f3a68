/** One input of the fuzz: what is written to one connection, in so many writes. */
export const areas = ['http', 'json', 'ws', 'auth'] as const
export type Area = (typeof areas)[number]

export interface FuzzInput {
  readonly area: Area
  /** The class of the generator that made it. */
  readonly name: string
  readonly writes: readonly Buffer[]
}

/** For `--replay`: `area:hex,hex`, a write each. */
export const replayText = ({ area, writes }: Pick<FuzzInput, 'area' | 'writes'>): string =>
  `${area}:${writes.map((bytes) => bytes.toString('hex')).join(',')}`

export function parseReplay(text: string): FuzzInput {
  const [, area, hex] = /^(http|json|ws|auth):([0-9a-f,]+)$/.exec(text) ?? []
  if (area === undefined || hex === undefined) throw new Error('an input is written as area:hex,hex')
  // The expression names the areas.
  return {
    area: area as Area,
    name: 'replayed',
    writes: hex.split(',').map((part) => Buffer.from(part, 'hex')),
  }
}
