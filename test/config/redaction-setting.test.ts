import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConfigError } from '../../src/config/config.js'
import { redactionOf } from '../../src/config/redaction-setting.js'

const rules = (REDACT: string) => [...redactionOf({ REDACT })]

test('REDACT is off or a list of rules', () => {
  assert.deepEqual(rules('off'), [])
  assert.deepEqual(rules('email,card'), ['card', 'email'])
  assert.deepEqual(rules('number, iban,number'), ['number', 'iban'])
  for (const text of ['', 'on', 'card,,email', 'card,off', 'Card', 'names'])
    assert.throws(() => rules(text), ConfigError, text)
  assert.throws(() => rules('card, names'), {
    message: 'REDACT: "names" is not known; expected off, or a list of card, number, iban, email',
  })
})
