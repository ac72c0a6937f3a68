import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type CallPlan, type ImpairmentRates, planCall } from '../../src/simulate/impairment.js'

const packetCount = 20_000
const rates: ImpairmentRates = { loss: 2, reorder: 5, duplicate: 3, late: 4 }
const none: ImpairmentRates = { loss: 0, reorder: 0, duplicate: 0, late: 0 }
const plan = planCall({ seed: 42, callIndex: 0, packetCount, rates })

function sentOf({ live, late }: CallPlan): number[] {
  return [...live, ...late]
}

/** The packets that are sent first after a higher sequence was sent, without the late ones. */
function overtaken({ live }: CallPlan): number {
  const seen = new Set<number>()
  let highest = -1
  let count = 0
  for (const sequence of live) {
    if (!seen.has(sequence) && sequence < highest) count++
    seen.add(sequence)
    highest = Math.max(highest, sequence)
  }
  return count
}

function isNear(count: number, percent: number): void {
  const share = (100 * count) / packetCount
  assert.ok(Math.abs(share - percent) < percent * 0.2, `${share} % instead of ${percent} %`)
}

describe('the impairment plan', () => {
  test('is the same for the same seed and call, and another for another seed or call', () => {
    assert.deepEqual(planCall({ seed: 42, callIndex: 0, packetCount, rates }), plan)
    assert.notDeepEqual(planCall({ seed: 43, callIndex: 0, packetCount, rates }), plan)
    assert.notDeepEqual(planCall({ seed: 42, callIndex: 1, packetCount, rates }), plan)
  })

  test('impairs about as many packets as asked', () => {
    isNear(plan.lost.length, rates.loss)
    isNear(new Set(plan.late).size, rates.late)
    isNear(sentOf(plan).length - new Set(sentOf(plan)).size, rates.duplicate)
    isNear(overtaken(plan), rates.reorder)
  })

  test('sends every packet at least once, except the lost ones, which it never sends', () => {
    const sent = new Set(sentOf(plan))
    const lost = new Set(plan.lost)
    for (let sequence = 0; sequence < packetCount; sequence++)
      assert.notEqual(sent.has(sequence), lost.has(sequence), `sequence ${sequence}`)
    assert.equal(sent.size + lost.size, packetCount)
  })

  test('sends a late packet only after the completion', () => {
    const late = new Set(plan.late)
    assert.ok(late.size > 0)
    assert.equal(
      plan.live.some((sequence) => late.has(sequence)),
      false,
    )
  })

  test('sends in the order of the due times, and nothing before its own time', () => {
    plan.live.forEach((sequence, index) => {
      const dueTick = plan.dueTicks[index] ?? Number.NaN
      assert.ok(dueTick >= (plan.dueTicks[index - 1] ?? 0))
      assert.ok(sequence <= dueTick && dueTick <= sequence + 11)
    })
  })

  test('without rates sends every packet once and in order', () => {
    const whole = planCall({ seed: 1, callIndex: 0, packetCount: 500, rates: none })
    assert.deepEqual(
      [...whole.live],
      Array.from({ length: 500 }, (_, sequence) => sequence),
    )
    assert.equal(whole.late.length + whole.lost.length, 0)
  })

  test('sends one packet before the completion even if all should be lost or late, for the call to exist', () => {
    for (const extreme of [
      { ...none, loss: 100 },
      { ...none, late: 100 },
      { ...none, loss: 50, late: 50, duplicate: 100 },
    ])
      for (let seed = 0; seed < 50; seed++) {
        const { live, late, lost } = planCall({ seed, callIndex: 0, packetCount: 7, rates: extreme })
        assert.equal(new Set(live).size, 1)
        assert.equal(new Set([...late, ...lost]).size, 6)
      }
  })
})
