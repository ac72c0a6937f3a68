/** What the PBX said of a call: who speaks to whom, through which queue, and what its packets carry. */
import type { DetailLine } from '../model/call-details.js'

export function CallDetails({ lines }: { readonly lines: readonly DetailLine[] }) {
  return (
    <dl class="details">
      {lines.map(({ key, name, value }) => (
        <div key={key}>
          <dt>{name}</dt>
          <dd dir="auto">{value}</dd>
        </div>
      ))}
    </dl>
  )
}
