/** One of a few, of which all are in sight. */
import type { ComponentChildren } from 'preact'

interface ChoiceProps<Value> {
  readonly label: string
  readonly value: Value
  readonly options: readonly {
    readonly value: Value
    readonly name: string
    readonly note?: ComponentChildren
  }[]
  choose(value: Value): void
}

export function Choice<Value extends string | null>({ label, value, options, choose }: ChoiceProps<Value>) {
  return (
    <div class="choice" role="group" aria-label={label}>
      {options.map(({ value: each, name, note }) => (
        <button type="button" key={name} aria-pressed={each === value} onClick={() => choose(each)}>
          {name}
          {note !== undefined && <span class="chip-count"> {note}</span>}
        </button>
      ))}
    </div>
  )
}
