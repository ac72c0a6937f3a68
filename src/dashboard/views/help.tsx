import { useEffect, useRef } from 'preact/hooks'
import { keyHelp } from '../keys.js'
import { IconButton } from '../parts/icon-button.js'

const words: readonly (readonly [string, string])[] = [
  [
    'Missing',
    'A higher number has come, this one not yet. It may still come until the grace period of the call is over.',
  ],
  ['Late', 'It was missing, and came after all.'],
  ['Lost', 'Still missing when it was counted. The share is of all packets that should have come.'],
  [
    'Acknowledge',
    'Takes the call off your list, in this browser only. It comes back when something gets worse or new.',
  ],
  [
    'Stale',
    'Nothing was heard for 3.5 s. Times stand still then, because nobody knows what happens meanwhile.',
  ],
]

export function Help({ close }: { close(): void }) {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => dialog.current?.showModal(), [])
  return (
    <dialog class="help" ref={dialog} aria-labelledby="help-title" onClose={close}>
      <div class="help-head">
        <h2 id="help-title">Keys and words</h2>
        <IconButton drawing="close" label="Close" onClick={close} />
      </div>
      <div class="help-columns">
        <dl class="keys">
          {keyHelp.map(([keys, text]) => (
            <div key={text}>
              <dt>
                {keys.map((key) => (
                  <kbd key={key}>{key}</kbd>
                ))}
              </dt>
              <dd>{text}</dd>
            </div>
          ))}
        </dl>
        <dl class="words">
          {words.map(([word, meaning]) => (
            <div key={word}>
              <dt>{word}</dt>
              <dd>{meaning}</dd>
            </div>
          ))}
        </dl>
      </div>
    </dialog>
  )
}
