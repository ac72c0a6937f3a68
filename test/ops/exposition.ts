/** An answer of `/metrics`, as far as a query can miss it: which metrics there are, with which labels and values. */
export class Exposition {
  readonly #metrics = new Map<string, Map<string, Set<string>>>()

  constructor(text: string) {
    for (const line of text.split('\n')) {
      const [, name, labels = ''] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? \S+$/.exec(line) ?? []
      if (name === undefined) continue
      const ofMetric = this.#metrics.get(name) ?? new Map<string, Set<string>>()
      this.#metrics.set(name, ofMetric)
      for (const [, label = '', value = ''] of labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g))
        ofMetric.set(label, (ofMetric.get(label) ?? new Set()).add(value))
    }
  }

  get names(): readonly string[] {
    return [...this.#metrics.keys()]
  }

  /** Null for a metric that there is not. */
  labelsOf(metric: string): ReadonlyMap<string, ReadonlySet<string>> | null {
    return this.#metrics.get(metric) ?? null
  }
}
