/**
 * Sentiment without any network, for calls that carry text: VADER, a lexicon of 7,500 words with rules for negation and
 * emphasis (C. J. Hutto, E. Gilbert: VADER, ICWSM 2014). English only. It hears nothing and sums up nothing, and says so.
 */
import { createRequire } from 'node:module'
import type { AnalysisResult, Sentiment, TurnSentiment } from '../../protocol/analysis.js'
import { type AnalysisProvider, type AnalysisRequest, ProviderRejected } from '../provider.js'
import { plainText, readTextCall } from '../transcript.js'

/** Loaded where it is used: reading the lexicon costs every start 100 ms otherwise. */
const loadVader = () => createRequire(import.meta.url)('vader-sentiment') as typeof import('vader-sentiment')

/** The paper's own bounds of its compound score. */
const neutralMax = 0.05
/** The rules look at every pair of words, so a long text takes long; a turn's feeling shows in its beginning. */
const charactersMax = 2000

export class LocalProvider implements AnalysisProvider {
  readonly name = 'local'
  readonly #vader = loadVader()

  async analyse({ tracks }: AnalysisRequest, signal: AbortSignal): Promise<AnalysisResult> {
    const audio = tracks.find(({ media }) => media.encoding !== 'text')
    if (audio !== undefined)
      throw new ProviderRejected(`AI_PROVIDER=local analyses only text; this call is ${audio.media.encoding}`)
    const transcript = await readTextCall(tracks)
    const turns: TurnSentiment[] = []
    for (const [index, { text }] of transcript.segments.entries()) {
      signal.throwIfAborted()
      const score = this.#scoreOf(text)
      turns.push({ first_segment: index, last_segment: index, sentiment: labelOf(score), score })
      // A call has up to thousands of turns: others want the loop, too.
      if (index % 16 === 15) await new Promise((resolve) => setImmediate(resolve))
    }
    return { transcription: plainText(transcript.segments), transcript, turns, ...overall(turns) }
  }

  #scoreOf(text: string): number {
    return this.#vader.SentimentIntensityAnalyzer.polarity_scores(text.slice(0, charactersMax)).compound
  }
}

function labelOf(score: number): Sentiment {
  if (Math.abs(score) < neutralMax) return 'neutral'
  return score > 0 ? 'positive' : 'negative'
}

/** The mean of the turns that say anything; mixed where a third of them disagrees with the rest. */
function overall(turns: readonly TurnSentiment[]): {
  sentiment: Sentiment
  confidence: number
  score: number
} {
  const telling = turns.filter(({ sentiment }) => sentiment !== 'neutral')
  if (telling.length === 0) return { sentiment: 'neutral', confidence: turns.length === 0 ? 0 : 1, score: 0 }
  const score = round(telling.reduce((sum, turn) => sum + turn.score, 0) / telling.length)
  const positive = telling.filter((turn) => turn.score > 0).length / telling.length
  const agreement = Math.max(positive, 1 - positive)
  if (agreement < 2 / 3) return { sentiment: 'mixed', confidence: round(agreement), score }
  return { sentiment: labelOf(score), confidence: round(agreement), score }
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000
}
