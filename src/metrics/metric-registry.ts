/** Numbers that are read when somebody asks, in the Prometheus text format. The one importer of prom-client. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, type Metric, Registry } from 'prom-client'
import type { HotHistogram } from './hot-histogram.js'

const prefix = 'voicestream_'

/** Sums over gauges that are there by type; `_total` is a counter's, and Prometheus's own check objects. */
const gaugesNamedLikeCounters = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
]

/** Label values and what they count. */
export type Readings = readonly (readonly [string | number, number])[]

export class MetricRegistry {
  readonly #registry = new Registry()

  /** Those of the process and of Node are there from the start: memory, CPU, descriptors, event-loop delay. */
  constructor() {
    collectDefaultMetrics({ register: this.#registry, prefix })
    for (const name of gaugesNamedLikeCounters) this.#registry.removeSingleMetric(prefix + name)
  }

  gauge(name: string, help: string, read: () => number): void {
    this.gauges(name, help, null, () => [['', read()]])
  }

  gauges(name: string, help: string, label: string | null, read: () => Readings): void {
    new Gauge({
      name: prefix + name,
      help,
      labelNames: label === null ? [] : [label],
      registers: [this.#registry],
      collect() {
        for (const [value, reading] of read())
          if (label === null) this.set(reading)
          else this.set({ [label]: value }, reading)
      },
    })
  }

  counter(name: string, help: string, read: () => number): void {
    this.counters(name, help, null, () => [['', read()]])
  }

  counters(name: string, help: string, label: string | null, read: () => Readings): void {
    new Counter({
      name: prefix + name,
      help,
      labelNames: label === null ? [] : [label],
      registers: [this.#registry],
      collect() {
        this.reset()
        for (const [value, count] of read())
          if (label === null) this.inc(count)
          else this.inc({ [label]: value }, count)
      },
    })
  }

  histogram(name: string, help: string, buckets: readonly number[]): { observe(value: number): void } {
    return new Histogram({ name: prefix + name, help, buckets: [...buckets], registers: [this.#registry] })
  }

  add(histogram: HotHistogram): void {
    // The type of a metric names what only prom-client's own classes have.
    this.#registry.registerMetric(histogram as unknown as Metric)
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  text(): Promise<string> {
    return this.#registry.metrics()
  }
}
