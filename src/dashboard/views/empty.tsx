/** Nothing to show, and what to do about it. */
import type { ComponentChildren } from 'preact'
import { useCopy } from '../parts/hooks.js'
import { IconButton } from '../parts/icon-button.js'
import { Drawing, type drawings } from '../parts/icons.js'

interface EmptyProps {
  readonly drawing: keyof typeof drawings
  readonly title: string
  readonly children?: ComponentChildren
}

export function Empty({ drawing, title, children }: EmptyProps) {
  return (
    <div class="empty">
      <span class={`empty-drawing empty-${drawing}`}>
        <Drawing of={drawing} size={28} />
      </span>
      <h2>{title}</h2>
      {children}
    </div>
  )
}

const command = 'npm run simulate -- examples/support-call.wav --calls 50 --loss 2'

export function NoCalls() {
  const [isCopied, copy] = useCopy()
  return (
    <Empty drawing="wave" title="No calls yet">
      <p>A call appears here with its first packet. To see calls, play real speech into the service:</p>
      <p class="command">
        <code>{command}</code>
        <IconButton
          drawing={isCopied ? 'check' : 'copy'}
          label={isCopied ? 'Copied' : 'Copy the command'}
          onClick={() => copy(command)}
        />
      </p>
      <p>
        Or send packets to <code>POST /v1/call/stream/{'{call_id}'}</code>: see <a href="docs">the API</a>.
      </p>
    </Empty>
  )
}
