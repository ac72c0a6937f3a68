/** A button that is a drawing, with its words for who does not see it. */
import { Drawing, type drawings } from './icons.js'

interface IconButtonProps {
  readonly drawing: keyof typeof drawings
  readonly label: string
  /** What is shown to a pointer, where that is not the label. */
  readonly title?: string
  readonly class?: string
  onClick(): void
}

export function IconButton({ drawing, label, title = label, class: own, onClick }: IconButtonProps) {
  return (
    <button
      type="button"
      class={own === undefined ? 'icon-button' : `icon-button ${own}`}
      aria-label={label}
      title={title}
      onClick={onClick}
    >
      <Drawing of={drawing} />
    </button>
  )
}
