import { quoted } from '../quoted.js'
import { type RedactionRule, redactionRules } from '../redaction/kinds.js'
import { type Config, ConfigError } from './config.js'

/** Empty where nothing is masked. Throws `ConfigError`. */
export function redactionOf({ REDACT: text }: Pick<Config, 'REDACT'>): ReadonlySet<RedactionRule> {
  if (text === 'off') return new Set()
  const names = text.split(',').map((name) => name.trim())
  const unknown = names.find((name) => !redactionRules.some((rule) => rule === name))
  if (unknown !== undefined)
    throw new ConfigError(
      `REDACT: ${quoted(unknown)} is not known; expected off, or a list of ${redactionRules.join(', ')}`,
    )
  return new Set(redactionRules.filter((rule) => names.includes(rule)))
}
