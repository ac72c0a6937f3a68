import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FanOut } from '../../src/feed/fan-out.js'
import { limits } from '../../src/limits.js'

function fanOutOf() {
  const soon: (() => void)[] = []
  const later: (() => void)[] = []
  const fanOut = new FanOut({ soon: (task) => soon.push(task), later: (_, task) => later.push(task) })
  return { fanOut, soon, later }
}

const busyFor = (ms: number) => {
  const until = performance.now() + ms
  while (performance.now() < until);
}

describe('the fan-out', () => {
  // Guards against 10,000 sockets that are written to in one turn of the loop, in which no packet is answered.
  test('gives the loop back when its slice is over, and goes on where it was', () => {
    const { fanOut, soon, later } = fanOutOf()
    const pumped: number[] = []
    for (let i = 0; i < 6; i++)
      fanOut.add({
        pump: () => {
          pumped.push(i)
          busyFor(limits.fanOutMsMax * 0.6)
          return false
        },
      })
    fanOut.wake()
    soon.shift()?.()
    const inFirst = pumped.length
    assert(inFirst < 6, `${inFirst} readers in one slice`)
    while (later.length > 0) later.shift()?.()
    assert.deepEqual(pumped, [0, 1, 2, 3, 4, 5])
    assert.equal(soon.length, 0)
  })

  test('pumps again whoever has more, and everybody once for what came meanwhile', () => {
    const { fanOut, soon } = fanOutOf()
    let left = 3
    let others = 0
    fanOut.add({ pump: () => --left > 0 })
    fanOut.add({
      pump: () => {
        others++
        return false
      },
    })
    fanOut.wake()
    fanOut.wake()
    soon.shift()?.()
    assert.deepEqual([left, others, soon.length], [0, 3, 0])
  })

  test('leaves out a reader that goes while a round is under way', () => {
    const { fanOut, soon } = fanOutOf()
    let pumped = 0
    fanOut.add({
      pump: () => {
        leave()
        return false
      },
    })
    const leave = fanOut.add({
      pump: () => {
        pumped++
        return false
      },
    })
    fanOut.wake()
    soon.shift()?.()
    assert.equal(pumped, 0)
  })
})
