/** From the log into the file. Guards against a node that goes on although its copy is none any more. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Applier } from '../../../src/store/cluster/applier.js'
import { encodeMessage } from '../../../src/store/cluster/message.js'

function open(position = 4) {
  const transactions: number[][] = []
  const told: string[] = []
  const file = { isBroken: false }
  const applier = new Applier(position, {
    file: {
      apply: (messages) => {
        if (file.isBroken) throw new Error('the disk is full')
        transactions.push(messages.map(({ sequence }) => sequence))
      },
    },
    waiting: () => told.push('waiting'),
    applied: ({ sequence }) => told.push(`applied ${sequence}`),
    failed: ({ message }) => told.push(message),
  })
  const take = (sequence: number, change: (body: Buffer) => void = () => {}, id = `r.${sequence}`) => {
    const head = {
      id: `r.${sequence}`,
      node: 'a',
      run: 'r',
      calls: [],
      lifecycle: [],
      erasures: [],
      control: [],
    }
    const body = encodeMessage({ ...head, records: Buffer.alloc(0), facts: [] })
    change(body)
    applier.take({ sequence, subject: 'vs.log.a', id, storedAt: 0, body })
  }
  return { applier, file, transactions, told, take }
}

test('what has come is applied in one transaction, in its order, and told after it', () => {
  const { applier, transactions, told, take } = open()
  for (const sequence of [5, 6, 7]) take(sequence)
  assert.deepEqual(told, ['waiting'])
  applier.flush()
  applier.flush()
  assert.deepEqual(transactions, [[5, 6, 7]])
  assert.deepEqual(told, ['waiting', 'applied 5', 'applied 6', 'applied 7'])
})

for (const [what, first, fault] of [
  [
    'a message is missing',
    (take: ReturnType<typeof open>['take']) => take(6),
    /message 6 of the log came behind 4/,
  ],
  [
    'a message comes again',
    (take: ReturnType<typeof open>['take']) => take(4),
    /message 4 of the log came behind 4/,
  ],
  [
    'a message is damaged',
    (take: ReturnType<typeof open>['take']) => take(5, (body) => body.fill(1, 20, 21)),
    /its checksum is wrong/,
  ],
  [
    'a message is of a newer version',
    (take: ReturnType<typeof open>['take']) => take(5, (body) => body.fill(9, 0, 1)),
    /its format is 9/,
  ],
  [
    'a message has another id than the log says',
    (take: ReturnType<typeof open>['take']) => take(5, () => {}, 'r.6'),
    /is r\.5, and came as r\.6/,
  ],
] as const)
  test(`where ${what} the node stops, once, and takes nothing more`, () => {
    const { applier, transactions, told, take } = open()
    first(take)
    take(5)
    applier.flush()
    assert.equal(told.length, 1)
    assert.match(told[0] ?? '', fault)
    assert.deepEqual(transactions, [])
  })

test('where the file does not take it the node stops, and nothing is told as applied', () => {
  const { applier, file, told, take } = open()
  file.isBroken = true
  take(5)
  applier.flush()
  file.isBroken = false
  take(6)
  applier.flush()
  assert.deepEqual(told, ['waiting', 'the disk is full'])
})

test('where the log ends before the file the node stops', () => {
  const { applier, told } = open()
  applier.lost(3)
  assert.match(told[0] ?? '', /ends at message 3, and this node's file at 4: the log has lost messages/)
})

test('where the log was trimmed beyond the file the node stops, and says what to do', () => {
  const { applier, told } = open()
  applier.trimmed(9)
  assert.match(told[0] ?? '', /begins at message 9, and this node's file ends at 4: start with a copy/)
})
