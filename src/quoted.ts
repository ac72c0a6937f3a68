/** Quotes foreign text in answers and log lines, with a bound on its length. */

const charactersMax = 80

/** Its beginning, and how long it was. */
export function shortened(text: string, most = charactersMax): string {
  if (text.length <= most) return text
  // Not through the middle of a surrogate pair.
  const head = text.slice(0, most).replace(/[\ud800-\udbff]$/, '')
  return `${head}… (${text.length} characters)`
}

/** In JSON's quotes, so that nothing in it can pass for something else. */
export function quoted(text: string): string {
  return JSON.stringify(shortened(text))
}
