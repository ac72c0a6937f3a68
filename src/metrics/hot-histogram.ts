/**
 * A histogram for the hot path: a tenth of the time of prom-client’s (60 ns to 0.7 µs), which looks its labels up
 * anew. prom-client prints it: it takes any object with `name` and `get`.
 */
export class HotHistogram {
  readonly name: string
  readonly #help: string
  readonly #label: string
  readonly #buckets: readonly number[]
  readonly #series = new Map<string, { readonly counts: Float64Array; sum: number }>()

  constructor(name: string, help: string, label: string, buckets: readonly number[]) {
    this.name = name
    this.#help = help
    this.#label = label
    this.#buckets = buckets
  }

  observe(value: string, seconds: number): void {
    let series = this.#series.get(value)
    if (series === undefined) {
      series = { counts: new Float64Array(this.#buckets.length + 1), sum: 0 }
      this.#series.set(value, series)
    }
    series.sum += seconds
    let bucket = 0
    while (bucket < this.#buckets.length && seconds > (this.#buckets[bucket] as number)) bucket++
    series.counts[bucket] = (series.counts[bucket] as number) + 1
  }

  async get(): Promise<object> {
    const values = [...this.#series].flatMap(([value, { counts, sum }]) => {
      const labels = { [this.#label]: value }
      let count = 0
      const lines = [...counts].map((ofBucket, bucket) => {
        count += ofBucket
        const le = this.#buckets[bucket] ?? '+Inf'
        return { labels: { le, ...labels }, value: count, metricName: `${this.name}_bucket` }
      })
      return [
        ...lines,
        { labels, value: sum, metricName: `${this.name}_sum` },
        { labels, value: count, metricName: `${this.name}_count` },
      ]
    })
    return { name: this.name, help: this.#help, type: 'histogram', values, aggregator: 'sum' }
  }
}
