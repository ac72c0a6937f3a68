/** E-mail addresses that are said: "anna dot weber at example dot com". Pure. */
import type { Token } from './tokens.js'
import {
  addressJoiners,
  addressStops,
  atWords,
  dotWords,
  fillers,
  pointWords,
  sureAtWords,
  topDomains,
} from './words.js'

/** Tokens, both included. */
export interface TokenRange {
  readonly first: number
  readonly last: number
}

/** Words and spelled letters before and behind the at-sign, at most. */
const localTokensMax = 32
const domainTokensMax = 24
/** Of words that nothing joins: a first name and a last one. */
const looseWordsMax = 2

export function spokenAddresses(tokens: readonly Token[]): readonly TokenRange[] {
  const found: TokenRange[] = []
  for (const [at, token] of tokens.entries()) {
    if (token.kind !== 'word') continue
    const isSure = sureAtWords.has(token.text)
    if (!isSure && !atWords.has(token.text)) continue
    const last = domainEnd(tokens, at + 1, isSure)
    if (last === null) continue
    const first = localStart(tokens, at - 1, (found.at(-1)?.last ?? -1) + 1)
    if (first < at) found.push({ first, last })
  }
  return found
}

/** The last token of a domain that begins here: names, joined by dots that are said. */
function domainEnd(tokens: readonly Token[], start: number, isSure: boolean): number | null {
  let end: number | null = null
  let words = 0
  for (let at = start; at < tokens.length && at - start < domainTokensMax; at++) {
    const { kind, text } = tokens[at] as Token
    if (kind !== 'word' && kind !== 'digits') return end
    const name = tokens[at + 1]
    const isDot = at > start && (dotWords.has(text) || pointWords.has(text))
    if (isDot && name?.kind === 'word' && (topDomains.has(name.text) || isSure || dotWords.has(text))) {
      end = ++at
      words = 0
      continue
    }
    const isJoined = addressJoiners.has(text) || text.length === 1 || kind === 'digits'
    // "At three o'clock we met dot com": what is far from the dot is no domain.
    if (!isJoined && ++words > looseWordsMax) return end
    if (end !== null && words > 0) return end
  }
  return end
}

/** The first token of the name that ends here. */
function localStart(tokens: readonly Token[], end: number, lowest: number): number {
  let start = end + 1
  let words = 0
  for (let at = end; at >= lowest && end - at < localTokensMax; at--) {
    const { kind, text } = tokens[at] as Token
    if (kind !== 'word' && kind !== 'digits') break
    const next = tokens[at + 1]?.text ?? ''
    const isJoiner = addressJoiners.has(text)
    const isJoined = isJoiner || addressJoiners.has(next) || kind === 'digits'
    const isSpelled = text.length === 1 && (next.length === 1 || addressJoiners.has(next))
    if (!isJoined && !isSpelled && (addressStops.has(text) || fillers.has(text))) break
    if (!isJoined && !isSpelled && ++words > looseWordsMax) break
    start = at
  }
  return start
}
