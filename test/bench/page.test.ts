import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pageOf } from '../../bench/report/page.js'
import { scaleOf } from '../../bench/report/scale.js'
import type { Results } from '../../bench/scenario.js'

const results: Results = {
  environment: {
    at: '2025-01-01T00:00:00.000Z',
    node: 'v20',
    kernel: '6',
    cpu: 'a <b> & "c"',
    cores: 2,
    memoryMib: 1,
    fileSystem: 'ext4',
    loadAverage: 0,
    fsyncP50Ms: 1,
    fsyncP99Ms: 2,
  },
  rounds: 5,
  seconds: 8,
  isQuick: false,
  scenarios: [
    {
      name: 'one',
      title: 'One',
      summary: 'One <thing>.',
      elapsedSeconds: 1,
      outcome: {
        kind: 'measured',
        report: {
          tables: [
            {
              title: 'T',
              columns: [{ name: 'a' }, { name: 'b', unit: 'ms', digits: 1 }],
              rows: [
                ['x<y', 1.25],
                ['z', null],
              ],
            },
          ],
          charts: [
            {
              title: 'C',
              x: { label: 'x, s', scale: 'linear' },
              y: { label: 'y, ms', scale: 'log' },
              series: [
                {
                  name: 's',
                  points: [
                    [0, 1],
                    [1, 10],
                  ],
                },
              ],
            },
          ],
          checks: [{ name: 'n', wanted: '≤ 1', found: '2', isMet: false }],
          notes: ['note'],
        },
      },
    },
    {
      name: 'two',
      title: 'Two',
      summary: '',
      elapsedSeconds: 0,
      outcome: { kind: 'skipped', reason: 'why' },
    },
  ],
}

test('every value of an axis has its place on it, and so have its ticks', () => {
  const cases = [
    { scale: 'linear', values: [0, 3, 17.5] },
    { scale: 'log', values: [0.02, 1, 480] },
    { scale: 'tail', values: [0, 0.5, 0.9999, 1] },
  ] as const
  for (const { scale, values } of cases) {
    const { place, ticks } = scaleOf({ label: '', scale }, values)
    const places = [...values.map(place), ...ticks.map(({ at }) => place(at))]
    assert.ok(
      places.every((at) => at >= 0 && at <= 1.000001),
      `${scale}: ${places}`,
    )
    assert.ok(ticks.length >= 3 && ticks.length < 30, `${scale} has ${ticks.length} ticks`)
    assert.deepEqual(
      values.map(place),
      values.map(place).toSorted((a, b) => a - b),
    )
  }
})

test('the page loads nothing from anywhere and escapes what it shows', () => {
  const page = pageOf(results)
  assert.doesNotMatch(page, /<script|<link|src=|href=|url\(|@import/)
  assert.match(page, /x&lt;y/)
  assert.doesNotMatch(page, /<b>|<thing>/)
  assert.match(page, /falls short/)
  assert.equal(page.match(/<svg/g)?.length, 1)
})
