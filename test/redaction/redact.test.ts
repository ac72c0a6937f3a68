/**
 * What is masked, what is left, and what a mask is called. Guards against a check digit that lets a misheard card through, a number
 * that survives in the times of its words, and a mask that is taken back when more is heard.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { type RedactionRule, redactionRules } from '../../src/redaction/kinds.js'
import { redact, type Said } from '../../src/redaction/redact.js'
import { languages, numberSentence, randomOf, secrets } from './spoken-calls.js'

const all = new Set<RedactionRule>(redactionRules)

function shown(text: string, rules: ReadonlySet<RedactionRule> = all, isOpen = false): string {
  return redact([{ text, start: 0, end: 5 }], { rules, isOpen })[0]?.text as string
}

function shownOf(...texts: readonly string[]): readonly string[] {
  const said = texts.map((text, index) => ({ text, start: index * 5, end: index * 5 + 4 }))
  return redact(said, { rules: all, isOpen: false }).map(({ text }) => text)
}

describe('a mask', () => {
  const cases: readonly (readonly [text: string, expected: string])[] = [
    ['my card is 4111 1111 1111 1111', 'my card is [card]'],
    ['my card is 4111 1111 1111 1112', 'my card is [number]'],
    ['four one double one triple one one one one one one one one one one', '[card]'],
    ['it is 4111111111111111 12 27 123', 'it is [card]'],
    ['call +49 170 1234567 or 555-1234', 'call [phone] or [phone]'],
    ['ruf null eins sieben null, einundzwanzig zweiunddreißig vierundvierzig', 'ruf [phone]'],
    ["c'est le zéro six douze trente-quatre quatre-vingt-dix-sept soixante et onze", "c'est le [phone]"],
    ['so 123-45-6789 is it', 'so [ssn] is it'],
    ['DE89 3704 0044 0532 0130 00 thanks', '[iban] thanks'],
    ['DE89 3704 0044 0532 0130 01 Thanks', '[iban] Thanks'],
    ['gb29nwbk60161331926819.', '[iban].'],
    [
      'D E eight nine three seven zero four zero zero four four zero five three two zero one three zero zero zero',
      '[iban]',
    ],
    ['write to anna.weber+x@mail.example.com.', 'write to [email].'],
    ['write to john smith at gmail dot com please', 'write to [email] please'],
    ['schreib an a n n a Punkt weber at example Punkt de', 'schreib an [email]'],
    ['٤١١١ ١١١١ ١١١١ ١١١١', '[card]'],
    ['４１１１ 1111 १११১ 1111', '[card]'],
    ['call 4️⃣1️⃣1️⃣ 5\u200b5\u00ad5 1234', 'call [number]'],
    ['won two three for five six seven', '[number]'],
    ['A1234567B', 'A[number]B'],
  ]
  for (const [text, expected] of cases)
    test(`${text.slice(0, 50)} → ${expected}`, () => assert.equal(shown(text), expected))

  test('is put over every part of a number, whoever says it', () => {
    assert.deepEqual(shownOf('It is 4111', 'yes', '1111 okay 1111', 'and then', '1111 bye'), [
      'It is [card]',
      'yes',
      '[card]',
      'and then',
      '[card] bye',
    ])
  })

  test('is put over a number once more where it is said again', () => {
    assert.deepEqual(shownOf('four one one one', 'four one one one?'), ['[number]', '[number]?'])
  })

  test('does not go over a pause of more than ten seconds, or over other words', () => {
    const far: readonly Said[] = [
      { text: '4111', start: 0, end: 1 },
      { text: '1111', start: 11.1, end: 12 },
    ]
    assert.deepEqual(
      redact(far, { rules: all, isOpen: false }).map(({ text }) => text),
      ['4111', '1111'],
    )
    assert.equal(shown('4111 is what I would say 1111'), '4111 is what I would say 1111')
  })

  test('is there for what was asked for', () => {
    const card = 'card 4111 1111 1111 1112'
    const phone = 'call 555 1234'
    const address = 'write to a@b.de'
    const iban = 'DE89 3704 0044 0532 0130 00'
    const texts = (...rules: RedactionRule[]) =>
      [card, phone, address, iban].map((text) => shown(text, new Set(rules)))
    assert.deepEqual(texts(), [card, phone, address, iban])
    // As long as a card.
    assert.deepEqual(texts('card'), ['card [number]', phone, address, '[iban]'])
    assert.deepEqual(texts('email'), [card, phone, 'write to [email]', iban])
    assert.deepEqual(texts('iban'), [card, phone, address, '[iban]'])
    assert.deepEqual(texts('number'), ['card [number]', 'call [number]', address, '[iban]'])
  })
})

describe('left alone are', () => {
  const cases = [
    'between 1500 and 2500 euros on 15 January 2024 at 10:30',
    'from nine thirty to ten fifteen',
    'two kids and one dog for three years',
    '12 of the 500 mg and 30 of the 250 mg',
    'in 2019 we paid 4500 for 2021',
    'it was 98.6, then 99.1, then 97.8',
    'at three I met two people at the shop',
    'der Termin ist am 15. Januar 2025 um 14 Uhr 30',
    '2024-01-15 12',
  ]
  for (const text of cases) test(text, () => assert.equal(shown(text), text))
})

describe('times', () => {
  const words = (text: string) =>
    text.split(' ').map((word, index) => ({ text: word, start: index, end: index + 0.5 }))

  test('of a mask are those of its words, and the words are masked with it', () => {
    const text = 'it is 4111 1111, and 1111 1111 now'
    const [one] = redact([{ text, start: 0, end: 9, words: words(text) }], { rules: all, isOpen: false })
    assert.equal(one?.text, 'it is [card], and [card] now')
    assert.deepEqual(one?.redactions, [
      { kind: 'card', from: 6, to: 12, start: 2, end: 3.5 },
      { kind: 'card', from: 18, to: 24, start: 5, end: 6.5 },
    ])
    assert.deepEqual(one?.words, [
      { text: 'it', start: 0, end: 0.5 },
      { text: 'is', start: 1, end: 1.5 },
      { text: '[card]', start: 2, end: 3.5 },
      { text: 'and', start: 4, end: 4.5 },
      { text: '[card]', start: 5, end: 6.5 },
      { text: 'now', start: 7, end: 7.5 },
    ])
  })

  test('of a mask are the whole segment’s where words have none', () => {
    const [one] = redact([{ text: 'my number 5551234', start: 3, end: 8 }], { rules: all, isOpen: false })
    assert.deepEqual(one?.redactions, [{ kind: 'number', from: 10, to: 18, start: 3, end: 8 }])
  })

  test('of a mask from before are kept', () => {
    const redactions = [{ kind: 'number', from: 10, to: 18, start: 4, end: 6 }] as const
    const said = [{ text: 'my number [number] yes', start: 3, end: 8, redactions }]
    assert.deepEqual(redact(said, { rules: all, isOpen: false })[0], { text: said[0]?.text, redactions })
  })
})

describe('while more is heard', () => {
  test('three digits at the end are masked at once, and what goes on from a mask is masked', () => {
    assert.equal(shown('my number is four one', all, true), 'my number is four one')
    assert.equal(shown('my number is four one one', all, true), 'my number is [number]')
    assert.equal(shown('411 is what I would say now', all, true), '411 is what I would say now')
    assert.deepEqual(shownOf('my number is [number]', 'two'), ['my number is [number]', '[number]'])
  })

  test('no more than six digits of a number are ever shown, however it is cut, and no mask is taken back', () => {
    let cases = 0
    for (const language of languages)
      for (const secret of secrets) {
        if (secret === 'email') continue
        for (let seed = 0; seed < 8; seed++) {
          const random = randomOf(seed * 97 + languages.indexOf(language))
          const { words } = numberSentence(language, secret, random)
          let told: readonly Said[] = []
          let secretsTold = 0
          for (let at = 0; at < words.length; ) {
            const part = words.slice(at, at + 1 + random.below(4))
            at += part.length
            const heard = {
              text: part.map(({ text }) => text).join(' '),
              start: told.length,
              end: told.length + 0.9,
            }
            const shownNow = redact([...told, heard], { rules: all, isOpen: true })
            const next = shownNow.at(-1)
            assert(next !== undefined)
            const isMasked = next.redactions.length > 0
            if (!isMasked) secretsTold += digitsIn(part, heard.text)
            told = [...told, { ...heard, text: next.text, redactions: next.redactions }]
            cases++
          }
          assert(secretsTold < 7, `${secretsTold} digits of ${JSON.stringify(told.map(({ text }) => text))}`)
        }
      }
    assert(cases > 1000)
  })

  /** Of a part that is shown as it is: a word for each digit, or two for one. */
  function digitsIn(
    part: readonly { readonly text: string; readonly isSecret: boolean }[],
    shown: string,
  ): number {
    const known = part.filter(({ isSecret, text }) => isSecret && shown.includes(text))
    return known.reduce(
      (sum, { text }) => sum + (/\p{Nd}/u.test(text) ? [...text].filter((one) => one !== ',').length : 1),
      0,
    )
  }
})

describe('any text', () => {
  const pieces = [
    '4',
    '٤',
    '４',
    ' ',
    'one',
    'un',
    'to',
    'double',
    'hundred',
    'at',
    'dot',
    '@',
    '.',
    '-',
    '+',
    '[card]',
    '\ud800',
    '\u200b',
    '\u0301',
    '€',
    'é',
    '🂡',
    '\u202e',
    'DE89',
    '½',
    '\n',
  ]

  test('stays what it is but for its masks, and shows no more when it is redacted again', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.constantFrom(...pieces), { maxLength: 30 }), { maxLength: 4 }),
        (lists) => {
          const said = lists.map((list, index) => ({ text: list.join(''), start: index, end: index + 1 }))
          const once = redact(said, { rules: all, isOpen: false })
          for (const [index, { text, redactions }] of once.entries()) {
            let rest = said[index]?.text ?? ''
            let at = 0
            for (const { kind, from, to } of redactions) {
              assert.equal(text.slice(from, to), `[${kind}]`)
              const kept = text.slice(at, from)
              assert(rest.startsWith(kept) || rest.includes(kept))
              rest = rest.slice(rest.indexOf(kept) + kept.length)
              at = to
            }
            assert(rest.endsWith(text.slice(at)))
          }
          const again = redact(
            once.map(({ text, redactions }, index) => ({ text, redactions, start: index, end: index + 1 })),
            { rules: all, isOpen: false },
          )
          const digitsOf = (text: string | undefined) => text?.replace(/\P{Nd}/gu, '').length ?? 0
          for (const [index, { text }] of again.entries())
            assert(digitsOf(text) <= digitsOf(once[index]?.text))
        },
      ),
      { numRuns: 300, seed: 7 },
    )
  })

  test('costs time by its length: four times as much takes less than twelve times as long', () => {
    const units = [
      '4 ',
      'to one ',
      'un ',
      'a@',
      'at x dot ',
      'double ',
      'hundred and ',
      '$',
      '1.1',
      'DE12 ',
      '1\u0301\u200b',
      '[card] un ',
      'un x 4 ',
      '4 x',
    ]
    let [short, long] = [0, 0]
    for (const unit of units) {
      const text = (length: number) => unit.repeat(length / unit.length)
      // The fastest of some: what else runs only makes one slower.
      short += fastest(() => shown(text(5_000), all, true))
      long += fastest(() => shown(text(20_000), all, true))
    }
    assert(long < 12 * short, `${short.toFixed(1)} ms, then ${long.toFixed(1)} ms`)
  })

  function fastest(run: () => unknown): number {
    const times = Array.from({ length: 5 }, () => {
      const startedAt = performance.now()
      run()
      return performance.now() - startedAt
    })
    return Math.min(...times)
  }
})
