/** The requests of an analysis, folded: for costs and for finding errors. */
import { useMemo, useState } from 'preact/hooks'
import type { ProviderRequest } from '../../protocol/analysis.js'
import { formatCount } from '../format.js'
import { ledgerRowsOf, ledgerSummary } from '../model/request-ledger.js'

/** All of them are in the transcript as JSON. */
const rowsShownMax = 200

export function RequestLedger({ requests }: { readonly requests: readonly ProviderRequest[] }) {
  const [isOpen, setOpen] = useState(false)
  const summary = useMemo(() => ledgerSummary(requests), [requests])
  if (requests.length === 0) return null
  return (
    <details class="ledger" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{summary}</summary>
      {isOpen && <LedgerTable requests={requests} />}
    </details>
  )
}

function LedgerTable({ requests }: { readonly requests: readonly ProviderRequest[] }) {
  const rows = useMemo(() => ledgerRowsOf(requests.slice(0, rowsShownMax)), [requests])
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached with the keys, too.
    <div class="ledger-scroll" tabIndex={0} role="region" aria-label="Requests to the provider">
      <table>
        <thead>
          <tr>
            <th scope="col">What</th>
            <th scope="col">Attempt</th>
            <th scope="col">Answer</th>
            <th scope="col">Took</th>
            <th scope="col">Sent</th>
            <th scope="col">Received</th>
            <th scope="col">Charged</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ what, attempt, answer, isFailed, took, sent, received, charged }, index) => (
            <tr key={index}>
              <th scope="row">{what}</th>
              <td>{attempt}</td>
              <td class={isFailed ? 'alarming' : ''}>{answer}</td>
              <td>{took}</td>
              <td>{sent}</td>
              <td>{received}</td>
              <td>{charged}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {requests.length > rowsShownMax && (
        <p class="quiet small">The first {formatCount(rowsShownMax)}; the transcript as JSON has all.</p>
      )}
    </div>
  )
}
