/** Sentiment out of a lexicon, without any network. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ProviderRejected } from '../../../src/analysis/provider.js'
import { LocalProvider } from '../../../src/analysis/providers/local-provider.js'
import { never, requestFor } from './openai/openai-run.js'

const text = { encoding: 'text', sample_rate: 8000, channels: 1 } as const
const analyse = (...packets: string[]) =>
  new LocalProvider().analyse(requestFor({ packets, media: text }), never())

describe('the local provider', () => {
  test('tells a thankful call from an angry one, and knows a negation', async () => {
    assert.equal((await analyse('Thank you, that was wonderful help!', 'Great.')).sentiment, 'positive')
    assert.equal(
      (await analyse('This is terrible.', 'I am very angry about the awful service.')).sentiment,
      'negative',
    )
    assert.equal((await analyse('This is not good.')).sentiment, 'negative')
    assert.equal((await analyse('We meet on Tuesday.')).sentiment, 'neutral')
  })

  test('calls mixed what pulls both ways', async () => {
    assert.equal((await analyse('I love this.', 'I hate that.')).sentiment, 'mixed')
  })

  test('gives every turn its own, and the transcript as it came', async () => {
    const result = await analyse('Hello.', 'I hate waiting.', 'Thanks, perfect!')
    assert.equal(result.transcription, 'Hello. I hate waiting. Thanks, perfect!')
    assert.deepEqual(
      result.turns?.map(({ first_segment, sentiment }) => [first_segment, sentiment]),
      [
        [0, 'neutral'],
        [1, 'negative'],
        [2, 'positive'],
      ],
    )
    assert.equal(result.summary, undefined)
  })

  test('says that it hears nothing', async () => {
    const media = { encoding: 'mulaw', sample_rate: 8000, channels: 1 } as const
    await assert.rejects(
      new LocalProvider().analyse(requestFor({ packets: ['/w=='], media }), never()),
      (thrown) => thrown instanceof ProviderRejected && /analyses only text/.test(thrown.message),
    )
  })
})
