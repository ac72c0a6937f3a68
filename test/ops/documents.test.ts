/** Guards against documents that grow past reading, whose links lead nowhere, that name missing tests, or whose commands do not work. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { suiteService } from '../support/suite-service.js'

const documents = ['.', 'docs', 'docs/design', 'bench']
  .filter((folder) => existsSync(folder))
  .flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)))
  .filter((path) => path.endsWith('.md'))
const textOf = (path: string) => readFileSync(path, 'utf8')
const prose = (path: string) => textOf(path).replaceAll(/^```[\s\S]*?^```$/gm, '')

/** As GitHub makes them. */
const anchors = (path: string) =>
  new Set(
    [...prose(path).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )

describe('the documents', () => {
  test('that everybody reads are at most 10 kB each', () => {
    for (const path of ['README.md', 'ARCHITECTURE.md'])
      assert(
        Buffer.byteLength(textOf(path)) <= 10_000,
        `${path} has ${Buffer.byteLength(textOf(path))} bytes`,
      )
  })

  test('have links that lead somewhere', () => {
    let links = 0
    for (const path of documents)
      for (const [, target = ''] of prose(path).matchAll(/(?:\]\(|src=")([^)"\s]+)/g)) {
        if (target.includes('://')) continue
        const [file = '', anchor] = target.split('#')
        const to = file === '' ? path : join(dirname(path), file)
        assert(existsSync(to), `${path} links to ${target}`)
        if (anchor !== undefined) assert(anchors(to).has(anchor), `${path} links to ${target}`)
        links++
      }
    assert(links > 40, `${links} links`)
  })

  test('name sources and tests that exist', () => {
    let names = 0
    for (const path of documents)
      for (const [, name = ''] of prose(path).matchAll(/`((?:src|test|bench|ops|scripts)\/[\w./-]+)`/g)) {
        if (name.includes('NAME') || name.startsWith('bench/results/')) continue
        const found = ['', '.ts', '.test.ts'].some((ending) => existsSync(name + ending))
        assert(found, `${path} names ${name}`)
        names++
      }
    assert(names > 60, `${names} names`)
  })

  test('name the files of a packet’s walk as they are', () => {
    const names = [...prose('ARCHITECTURE.md').matchAll(/`([a-z]+\/[\w./-]+)`/g)].map(([, name = '']) => name)
    assert(names.length > 25, `${names.length} names`)
    const missing = names.filter(
      (name) =>
        name !== 'voicestream/client' &&
        !['', '.ts'].some((ending) => existsSync(name) || existsSync(join('src', name + ending))),
    )
    assert.deepEqual(missing, [])
  })
})

const hasCurl = spawnSync('curl', ['--version']).status === 0

describe('the README’s first call', () => {
  const service = suiteService({ settings: { GRACE_PERIOD_MS: 3000 } })

  test('works as it is written', { skip: hasCurl ? false : 'curl is not installed' }, () => {
    const [, ...sections] = textOf('README.md').split(/^## /m)
    const section = sections.find((text) => text.startsWith('Your first call')) ?? ''
    const blocks = [...section.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, lines]) => lines)
    assert.equal(blocks.length, 2)
    const script = `curl() { command curl --silent "$@"; echo; }\n${blocks.join('')}`
    const output = execFileSync(
      'bash',
      ['-euo', 'pipefail', '-c', script.replace('http://127.0.0.1:8000', service().url)],
      { encoding: 'utf8' },
    )
    const answers = output
      .trim()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line))
    assert.equal(answers.length, 5)
    const [started, stored, completed, call, bulk] = answers
    for (const { status } of [started, stored, completed]) assert.equal(status, 'accepted')
    assert.equal(call.state, 'COMPLETED')
    assert.deepEqual(call.missing_ranges, [[1, 1]])
    assert.deepEqual(call.media, { encoding: 'mulaw', sample_rate: 8000, channels: 1 })
    assert.equal(bulk.accepted, 3)
  })
})
