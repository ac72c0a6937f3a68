/** What the contract says of a search, by the shortest way: what is between quotation marks is a phrase, all else words. */

type Fits = (word: string) => boolean

/** `unsure`: valid, but what it finds follows from how text is cut into words. */
export function naiveSearch(text: string): readonly Fits[] | 'unsure' | 'invalid' {
  const parts = text.split('"')
  if (text.length > 256 || /\p{Cc}/u.test(text) || parts.length % 2 === 0) return 'invalid'
  const terms: { readonly text: string; readonly isPrefix: boolean }[] = []
  for (const [index, part] of parts.entries()) {
    const isPhrase = index % 2 === 1
    if (isPhrase) terms.push({ text: part, isPrefix: parts[index + 1]?.startsWith('*') === true })
    // The star behind a phrase is its own.
    else
      for (const word of part.slice(index > 0 && part.startsWith('*') ? 1 : 0).split(/\s+/u))
        terms.push({ text: word.replace(/\*+$/, ''), isPrefix: word.endsWith('*') })
  }
  const searched = terms.filter((term) => /[\p{L}\p{N}]/u.test(term.text))
  if (searched.length === 0 || searched.length > 16) return 'invalid'
  const lastWord = (term: string) => term.match(/[\p{L}\p{N}\p{M}]+/gu)?.at(-1) ?? ''
  const isShort = (term: string) => [...lastWord(term)].length < 3
  if (searched.some((term) => term.isPrefix && isShort(term.text))) return 'invalid'
  if (!searched.every((term) => /^[A-Za-z]+$/.test(term.text))) return 'unsure'
  return searched.map(({ text: wanted, isPrefix }) => {
    const lower = wanted.toLowerCase()
    return (word: string) => (isPrefix ? word.startsWith(lower) : word === lower)
  })
}
