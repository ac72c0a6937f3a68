/** The details of a call from the PBX: parties, queue, and encoding of its packets. */
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
