/** The ids of calls as RFC 3261 §25.1 has them in a Call-ID, read letter by letter: `word [ "@" word ]`. */
import fc from 'fast-check'

const alphanum = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
export const wordCharacters = `${alphanum}-.!%*_+\`'~()<>:\\"/[]?{}`
const charactersMax = 255

/** What the contract adds: a bound, and no part between slashes that a path would take for a way up. */
export function isCallIdText(text: string): boolean {
  const words = text.split('@')
  const areWords = words.every((word) => word !== '' && [...word].every((c) => wordCharacters.includes(c)))
  const goesUp = text.split('/').some((part) => part === '.' || part === '..')
  return words.length <= 2 && areWords && !goesUp && text.length <= charactersMax
}

const word = (maxLength: number) => {
  return fc.string({ unit: fc.constantFrom(...wordCharacters), minLength: 1, maxLength })
}

export const callIdTexts = fc
  .oneof(
    { weight: 3, arbitrary: fc.tuple(word(127), word(127)).map((words) => words.join('@')) },
    { weight: 2, arbitrary: word(255) },
    fc.constantFrom(...'%"\\/<?'),
    fc.constantFrom('a84b4c76e66710@pc33.example', '%41', '%2F', '"', '\\"', '{"a":1}', '...'),
  )
  .filter(isCallIdText)

/** Each one was meant by a SIP device, or by somebody who looks for a place that does not expect it. */
export const sipCallIds = [
  'a84b4c76e66710@pc33.example',
  'f81d4fae-7dec-11d0-a765-00a0c91e6bf6@[2001:db8::9:1]',
  '1-2-3/4@10.0.0.1',
  '<{["call"]}>?!*~`\'()',
  'back\\slash\\"quote"',
  '%41%2F%00',
  'a+b',
  '__proto__@constructor',
] as const
