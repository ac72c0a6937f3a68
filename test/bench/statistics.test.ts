import assert from 'node:assert/strict'
import { test } from 'node:test'
import { distribution, median, medianCurve, quantile } from '../../bench/measure/statistics.js'

test('a median lies in the middle, or between the two in the middle', () => {
  assert.equal(median([3, 1, 2]), 2)
  assert.equal(median([4, 1, 3, 2]), 2.5)
  assert.ok(Number.isNaN(median([])))
})

test('a quantile is a value that was measured, at its nearest rank', () => {
  const sorted = Array.from({ length: 1000 }, (_, index) => index + 1)
  assert.equal(quantile(sorted, 0), 1)
  assert.equal(quantile(sorted, 0.5), 500)
  assert.equal(quantile(sorted, 0.99), 990)
  assert.equal(quantile(sorted, 0.999), 999)
  assert.equal(quantile(sorted, 1), 1000)
  assert.equal(quantile([7], 0.99), 7)
})

test('a distribution leaves out the quantiles that too few values lie beyond', () => {
  const found = distribution(Float64Array.from({ length: 100 }, (_, index) => 100 - index))
  assert.deepEqual([found.count, found.p50, found.p99, found.max, found.mean], [100, 50, 99, 100, 50.5])
  assert.deepEqual(found.curve.at(-1), [1, 100])
  assert.deepEqual(found.curve.at(-2), [0.99, 99])
})

test('a curve of medians holds the shares that all curves have', () => {
  const curve = medianCurve([
    [
      [0.5, 1],
      [0.999, 9],
      [1, 10],
    ],
    [
      [0.5, 3],
      [1, 30],
    ],
  ])
  assert.deepEqual(curve, [
    [0.5, 2],
    [1, 20],
  ])
})
