/** Guards against an answer of the engine that is taken for another one: an append would be told as stored or refused which is neither. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Appends, outcomeOf } from '../../../../src/store/cluster/jetstream/appends.js'

const refusal = (err_code: number, description: string) =>
  outcomeOf(JSON.stringify({ error: { code: 400, err_code, description }, stream: 'VS', seq: 0 }))

describe('the answer to an append', () => {
  test('is stored with its sequence, by this attempt or an earlier one', () => {
    assert.deepEqual(outcomeOf('{"stream":"VS","seq":7}'), { kind: 'stored', at: 7 })
    assert.deepEqual(outcomeOf('{"stream":"VS","seq":7,"duplicate":true}'), { kind: 'stored', at: 7 })
  })

  test('is refused only where it says the last sequence', () => {
    assert.deepEqual(refusal(10_071, 'wrong last sequence: 12'), { kind: 'refused', last: 12 })
    assert.deepEqual(refusal(10_071, 'wrong last sequence: 0'), { kind: 'refused', last: 0 })
    assert.equal(refusal(10_164, 'wrong last sequence').kind, 'unknown')
    assert.equal(refusal(10_071, 'wrong last sequence').kind, 'unknown')
  })

  test('is unknown for every other refusal, with the reason', () => {
    assert.deepEqual(refusal(10_077, 'maximum bytes exceeded'), {
      kind: 'unknown',
      reason: 'the log is full: maximum bytes exceeded',
    })
    assert.deepEqual(refusal(10_158, 'duplicate message id is in process'), {
      kind: 'unknown',
      reason: 'duplicate message id is in process (10158)',
    })
  })

  test('is unknown where it is not one', () => {
    for (const answer of ['', 'nonsense', '{}', '{"stream":"VS","seq":0}', '{"seq":"7"}', '{"seq":1.5}'])
      assert.equal(outcomeOf(answer).kind, 'unknown', answer)
  })
})

describe('an attempt without an answer', () => {
  const attempt = { subject: 'vs.log.a', expected: 0, id: 'a1', body: new Uint8Array(1) }

  test('holds back all others until the server has taken it', async () => {
    let sent = 0
    let take = () => {}
    const isTaken = new Promise<void>((resolve) => {
      take = resolve
    })
    const appends = new Appends(
      {
        request: async () => {
          sent++
          if (sent === 1) throw new Error('timeout')
          return new TextEncoder().encode('{"stream":"VS","seq":1}')
        },
        taken: () => isTaken,
      },
      'VS',
    )
    assert.equal((await appends.append(attempt)).kind, 'unknown')
    for (let n = 0; n < 100; n++) assert.equal((await appends.append(attempt)).kind, 'unknown')
    assert.equal(sent, 1)
    take()
    await isTaken
    assert.deepEqual(await appends.append(attempt), { kind: 'stored', at: 1 })
    assert.equal(sent, 2)
  })
})
