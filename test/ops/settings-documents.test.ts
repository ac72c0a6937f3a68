/** Guards against a document that tells operators of a setting, a default or a meaning that the service does not have. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, test } from 'node:test'
import { readConfig } from '../../src/config/config.js'
import { settings } from '../../src/config/settings.js'
import { temporaryFolder } from '../support/service.js'

const check = (cwd: string) =>
  spawnSync(process.execPath, ['scripts/settings-documents.mjs', '--check'], { cwd, encoding: 'utf8' })

describe('docs/settings.md and .env.example', () => {
  test('say what the configuration says', () => {
    const { status, stderr } = check('.')
    assert.equal(status, 0, stderr)
  })

  test('are found out when they differ, and mended', (t) => {
    const copy = temporaryFolder(t)
    for (const name of ['docs', '.env.example', 'scripts'])
      cpSync(name, join(copy, name), { recursive: true })
    for (const name of ['dist', 'node_modules', 'package.json']) symlinkSync(resolve(name), join(copy, name))
    for (const [name, from, to] of [
      ['docs/settings.md', '`8000`', '`8001`'],
      ['.env.example', 'VOICESTREAM_PORT', 'VOICESTREAM_PROT'],
    ] as const) {
      const path = join(copy, name)
      const right = readFileSync(path, 'utf8')
      writeFileSync(path, right.replace(from, to))
      const { status, stderr } = check(copy)
      assert.equal(status, 1)
      assert.match(stderr, new RegExp(`^${name} differs from`))
      execFileSync(process.execPath, ['scripts/settings-documents.mjs'], { cwd: copy })
      assert.equal(readFileSync(path, 'utf8'), right)
    }
  })

  test('.env.example is a configuration that the service takes, also with every line switched on', () => {
    const example = readFileSync('.env.example', 'utf8')
    const defaults = readConfig({ args: [], environment: {}, dotEnv: null })
    assert.deepEqual(readConfig({ args: [], environment: {}, dotEnv: example }), defaults)
    const switchedOn = example.replaceAll(/^#(?=VOICESTREAM_)/gm, '')
    assert.equal(switchedOn.match(/^VOICESTREAM_/gm)?.length, Object.keys(settings).length)
    assert.deepEqual(readConfig({ args: [], environment: {}, dotEnv: switchedOn }), defaults)
  })
})
