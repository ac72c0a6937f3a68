import { useEffect, useRef } from 'preact/hooks'
import { keyHelp } from '../keys.js'
import { IconButton } from '../parts/icon-button.js'

const words: readonly (readonly [string, string])[] = [
  [
    'Missing',
    'A packet with a higher number has arrived, this one has not. It may still arrive until the grace period of the call is over.',
  ],
  ['Late', 'It was missing and then arrived.'],
  ['Lost', 'Still missing at the time of counting. The percentage is of all expected packets.'],
  [
    'Acknowledge',
    'Removes the call from your list; an alert of its sound from everybody’s. It reappears when it gets worse or when something new happens.',
  ],
  [
    'Search',
    'Words, or agent:maria, queue:billing, number:+49, state:failed, sentiment:negative; in the history also said:refund.',
  ],
  ['Stale', 'No message arrived for 3.5 s. Times stop, because the page does not know the present state.'],
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
