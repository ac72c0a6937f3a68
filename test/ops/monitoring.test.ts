/**
 * The dashboard and the alert rules against the `/metrics` of a real service. Guards against a name that is misspelt or
 * was renamed: Prometheus answers such a query with nothing, so the panel stays empty and the alert never comes.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { parse } from 'yaml'
import { HttpClient } from '../support/http-client.js'
import { eventually, packet } from '../support/service.js'
import { suiteService } from '../support/suite-service.js'
import { SupervisorClient } from '../support/supervisor-client.js'
import { Exposition } from './exposition.js'
import { readQuery, type Selector } from './promql.js'

/** Given by Prometheus itself. */
const targetLabels = ['instance', 'job']

interface Target {
  readonly refId: string
  readonly expr: string
  readonly legendFormat: string
}

interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets?: readonly Target[]
}

interface Rule {
  readonly alert?: string
  readonly record?: string
  readonly expr: string
  readonly for?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
}

const dashboard = JSON.parse(readFileSync('ops/grafana/voicestream.json', 'utf8')) as {
  readonly uid: string
  readonly schemaVersion: number
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] }
  readonly panels: readonly Panel[]
}
const { groups } = parse(readFileSync('ops/prometheus/alerts.yml', 'utf8')) as {
  readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[]
}
const rules = groups.flatMap((group) => group.rules)
const alerts = rules.filter((rule) => rule.alert !== undefined)
const recorded = new Map(rules.flatMap(({ record, expr }) => (record === undefined ? [] : [[record, expr]])))

const targets = dashboard.panels.flatMap(({ title, targets = [] }) =>
  targets.map((target) => ({ title, ...target, expr: withoutVariables(target.expr) })),
)
const queries = [
  ...targets.map(({ title, expr }) => ({ where: `panel ${title}`, expr })),
  ...rules.map(({ alert, record, expr }) => ({ where: `rule ${alert ?? record}`, expr })),
]

function withoutVariables(text: string): string {
  return text.replaceAll('$__rate_interval', '5m').replaceAll('$instance', '.*')
}

/** Why a selector can never find anything, or null. */
function fault({ metric, matchers }: Selector, exposition: Exposition): string | null {
  if (recorded.has(metric) || metric === 'up') return null
  const labels = exposition.labelsOf(metric)
  if (labels === null) return `there is no ${metric}`
  for (const { label, operator, value } of matchers) {
    if (targetLabels.includes(label)) continue
    const values = labels.get(label)
    if (values === undefined) return `${metric} has no label ${label}`
    // A status shows once an answer had it; everything else is listed from the start.
    const wanted = operator.endsWith('~') ? value.split('|') : [value]
    const unseen = wanted.filter((one) => !values.has(one) && !/^[1-5]\d\d$/.test(one))
    if (unseen.length > 0) return `${metric} has no ${label} ${unseen.join(', ')}`
  }
  return null
}

function labelsOfQuery(expr: string, exposition: Exposition): ReadonlySet<string> {
  const labels = readQuery(expr).selectors.flatMap(({ metric }) => [
    ...(exposition.labelsOf(metric)?.keys() ?? []),
    ...(recorded.has(metric) ? readQuery(recorded.get(metric) ?? '').groupings : []),
  ])
  return new Set([...targetLabels, ...labels])
}

describe('what watches the service', () => {
  const service = suiteService({ settings: { GRACE_PERIOD_MS: 0 } })
  let exposition: Exposition

  const cleanups: (() => unknown)[] = []

  before(async () => {
    const block = { after: (cleanup: () => unknown) => void cleanups.push(cleanup) }
    const client = new HttpClient(block, service())
    await SupervisorClient.connect(block, service())
    await client.packet('c1', packet(0))
    await client.complete('c1', 2)
    await eventually(
      () => client.call('c1'),
      ({ body }) => body['state'] === 'ARCHIVED',
    )
    // Garbage collection shows once there was one.
    const lines = Array.from({ length: 5000 }, (_, i) => JSON.stringify({ call_id: 'c2', ...packet(i) }))
    exposition = await eventually(
      async () => {
        await client.bulk(lines.join('\n'))
        return new Exposition((await client.get('/metrics')).text)
      },
      ({ names }) => names.includes('voicestream_nodejs_gc_duration_seconds_sum'),
    )
    assert(exposition.names.length > 70)
  })

  after(() => {
    for (const cleanup of cleanups) cleanup()
  })

  test('asks only for metrics, labels and values that the service has', () => {
    assert(queries.length > 80)
    for (const { where, expr } of queries)
      for (const selector of readQuery(expr).selectors) assert.equal(fault(selector, exposition), null, where)
  })

  test('groups and names by labels that its metrics have', () => {
    for (const { where, expr } of queries) {
      const labels = labelsOfQuery(expr, exposition)
      for (const label of readQuery(expr).groupings) assert(labels.has(label), `${where}: ${label}`)
    }
    for (const { title, expr, legendFormat } of targets)
      for (const [, label = ''] of legendFormat.matchAll(/\{\{(\w+)\}\}/g))
        assert(readQuery(expr).groupings.includes(label), `${title}: ${label}`)
    for (const { alert, expr, annotations } of alerts) {
      const used = Object.values(annotations ?? {}).join(' ')
      for (const [, label = ''] of used.matchAll(/\$labels\.(\w+)/g))
        assert(labelsOfQuery(expr, exposition).has(label), `${alert}: ${label}`)
    }
  })

  test('finds what is misspelt, in a name, a label and a value', () => {
    for (const expr of [
      'rate(voicestream_packet_total[5m])',
      'voicestream_calls{stat="FAILED"}',
      'voicestream_calls{state="DONE"}',
      'voicestream_calls{state=~"FAILED|DONE"}',
    ]) {
      const [selector] = readQuery(expr).selectors
      assert(selector !== undefined && fault(selector, exposition) !== null, expr)
    }
    assert.throws(() => readQuery('sum by instance (voicestream_calls) +'), /not PromQL/)
  })
})

describe('the alert rules', () => {
  test('have unique names, a severity and words for people', () => {
    assert(alerts.length > 15)
    const names = rules.map(({ alert, record }) => alert ?? record)
    assert.equal(new Set(names).size, names.length)
    for (const { alert, for: lasts = '0s', labels = {}, annotations = {} } of alerts) {
      assert.match(alert ?? '', /^VoiceStream[A-Z]\w+$/)
      assert.match(lasts, /^\d+[smh]$/)
      assert(['critical', 'warning'].includes(labels['severity'] ?? ''), alert)
      for (const key of ['summary', 'description'])
        assert((annotations[key] ?? '').length > 10, `${alert}: ${key}`)
    }
    for (const record of recorded.keys()) assert.match(record, /^\w+:\w+:\w+$/)
  })

  test('are each explained in the operators’ document, and no other', () => {
    const document = readFileSync('docs/operations.md', 'utf8')
    const explained = [...document.matchAll(/^#+ (VoiceStream[A-Z]\w+)$/gm)].map(([, name]) => name)
    assert.deepEqual(
      explained,
      alerts.map(({ alert }) => alert),
    )
  })
})

describe('the dashboard', () => {
  test('has panels that do not overlap, with ids and titles of their own', () => {
    const { panels, uid, schemaVersion } = dashboard
    assert.equal(uid, 'voicestream')
    // 39 is that of Grafana 10.4; later ones take it, too.
    assert.equal(schemaVersion, 39)
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length)
    assert.equal(new Set(panels.map(({ title }) => title)).size, panels.length)
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) => {
      assert(x + w <= 24)
      return Array.from({ length: w * h }, (_, i) => `${x + (i % w)}/${y + Math.floor(i / w)}`)
    })
    assert.equal(new Set(cells).size, cells.length)
    for (const { type, title, targets = [] } of panels) {
      assert(type === 'row' || targets.length > 0, title)
      assert.equal(new Set(targets.map(({ refId }) => refId)).size, targets.length, title)
    }
  })

  test('has a row for each concern, and lists the instances that there are', () => {
    const rows = dashboard.panels.filter(({ type }) => type === 'row').map(({ title }) => title)
    assert.deepEqual(rows, ['Now', 'Ingest', 'Loss', 'Durability', 'AI', 'Supervisors', 'Process'])
    const definition = dashboard.templating.list.find(({ name }) => name === 'instance')?.definition
    assert.equal(definition, 'label_values(voicestream_build_info, instance)')
  })
})
