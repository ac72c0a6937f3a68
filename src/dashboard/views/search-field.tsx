/** The one search field of a list: words and tokens, each token a chip that can be taken out again. */
import { parseTokens, withoutToken } from '../model/search-tokens.js'
import { Drawing } from '../parts/icons.js'

interface SearchFieldProps {
  readonly label: string
  readonly placeholder: string
  readonly value: string
  change(value: string): void
}

/** As much as the service searches for; no id is longer. */
const searchCharactersMax = 256

export function SearchField({ label, placeholder, value, change }: SearchFieldProps) {
  return (
    <div class="search">
      <Drawing of="search" />
      <input
        id="search"
        type="search"
        placeholder={placeholder}
        aria-label={label}
        aria-describedby="search-help"
        maxLength={searchCharactersMax}
        value={value}
        autocomplete="off"
        spellcheck={false}
        onInput={(event) => change(event.currentTarget.value)}
      />
      <kbd>/</kbd>
      <span id="search-help" class="unseen">
        Words, or agent:, queue:, number:, state:, sentiment: and said: with a text behind.
      </span>
    </div>
  )
}

export function TokenChips({ value, change }: Pick<SearchFieldProps, 'value' | 'change'>) {
  const { tokens } = parseTokens(value)
  if (tokens.length === 0) return null
  return (
    <div class="chips" role="group" aria-label="Filters">
      {tokens.map((token) => (
        <button
          type="button"
          key={`${token.from}`}
          class="chip token"
          aria-label={`Remove the filter ${token.key} ${token.text}`}
          onClick={() => change(withoutToken(value, token))}
        >
          <span class="quiet">{token.key}</span> {token.text}
          <Drawing of="close" size={12} />
        </button>
      ))}
    </div>
  )
}
