/**
 * JSON as servers and models write it: numbers that are none (`NaN`, which Python writes), commas before a bracket, line
 * ends inside of strings, remarks, the quotes and words of Python. What is no JSON even so is `undefined`.
 */

export type JsonObject = Readonly<Record<string, unknown>>

/** A whole string, so that nothing inside of one is taken for the rest. */
const loose =
  /"[^"\\]*(?:\\.[^"\\]*)*"|'[^'\\]*(?:\\.[^'\\]*)*'|\/\/[^\n]*|\/\*.*?\*\/|[-+]?1\.#\w+|[-+]?\b(?:NaN|nan|Infinity|Inf|inf|None|undefined|True|False)\b(?:\(\w*\))?|,(?=\s*[}\]])/gs

export function parseLoosely(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    try {
      return /^\s*[{["]/.test(text) ? JSON.parse(text.replace(loose, mended)) : undefined
    } catch {
      return undefined
    }
  }
}

function mended(token: string): string {
  if (token === ',' || token.startsWith('/')) return ''
  if (token === 'True' || token === 'False') return token.toLowerCase()
  if (!/^["']/.test(token)) return 'null'
  return doubleQuoted(token).replace(/[\p{Cc}]/gu, (control) => JSON.stringify(control).slice(1, -1))
}

function doubleQuoted(token: string): string {
  if (token.startsWith('"')) return token
  const inside = token
    .slice(1, -1)
    .replace(/\\'|"|\\./gs, (part) => (part === "\\'" ? "'" : part === '"' ? '\\"' : part))
  return `"${inside}"`
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function member(value: unknown, name: string): unknown {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined
}

/** Null for what is no number; a text may be one (vLLM). */
export function numberOf(value: unknown): number | null {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  return typeof number === 'number' && Number.isFinite(number) ? number : null
}
