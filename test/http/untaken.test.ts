import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as loopTurn } from 'node:timers/promises'
import { Untaken } from '../../src/http/untaken.js'

function holderIn(untaken: Untaken) {
  let held = 0
  const holder = {
    isEnded: false,
    hold(bytes: number): void {
      if (holder.isEnded) return
      untaken.change(bytes - held)
      held = bytes
    },
    end(): void {
      holder.hold(0)
      holder.isEnded = true
    },
  }
  return holder
}

test('a read that finds no room waits behind those before it, and small ones do not pass it', async () => {
  const untaken = new Untaken(100)
  const [first, second, third] = [holderIn(untaken), holderIn(untaken), holderIn(untaken)]
  const entered: string[] = []
  untaken.enter(first, 60, () => entered.push('first'))
  untaken.enter(second, 60, () => entered.push('second'))
  untaken.enter(third, 10, () => entered.push('third'))
  assert.deepEqual([entered, untaken.bytes, untaken.isAwaited], [['first'], 60, true])
  first.end()
  await loopTurn()
  assert.deepEqual([entered, untaken.bytes, untaken.isAwaited], [['first', 'second', 'third'], 70, false])
})

test('a read that is larger than the bound is alone, and one whose asker has gone holds nothing', async () => {
  const untaken = new Untaken(100)
  const [small, large, gone, last] = [1, 2, 3, 4].map(() => holderIn(untaken)) as [
    ReturnType<typeof holderIn>,
    ReturnType<typeof holderIn>,
    ReturnType<typeof holderIn>,
    ReturnType<typeof holderIn>,
  ]
  const entered: string[] = []
  untaken.enter(small, 1, () => entered.push('small'))
  untaken.enter(large, 1000, () => entered.push('large'))
  untaken.enter(gone, 50, () => entered.push('gone'))
  untaken.enter(last, 50, () => entered.push('last'))
  small.end()
  gone.end()
  await loopTurn()
  assert.deepEqual([entered, untaken.bytes], [['small', 'large', 'gone'], 1000])
  large.end()
  await loopTurn()
  assert.deepEqual([entered.at(-1), untaken.bytes], ['last', 50])
})
