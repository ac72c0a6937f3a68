/**
 * The folders of `src/` are the architecture, so the arrows between them are held here. Guards against an import that
 * runs upwards, a circle of files, an adapter that something else than the wiring imports, and a package with two homes.
 * The lengths of files and functions are held by the linter (`biome.json`).
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { dirname, join, normalize } from 'node:path'
import { describe, test } from 'node:test'

/** From top to bottom. A file imports from its own line and from those below it. */
const levels: readonly (readonly string[])[] = [
  ['main.ts'],
  ['cli'],
  ['app.ts'],
  ['composition'],
  ['http'],
  ['metrics'],
  ['feed', 'analysis', 'ingest', 'media'],
  ['actors'],
  ['store', 'insight'],
  ['dashboard', 'simulate'],
  ['client'],
  ['config', 'protocol', 'terminal', 'log.ts', 'log-output.ts', 'version.ts'],
  [
    'audio',
    'redaction',
    'limits.ts',
    'errors.ts',
    'clock.ts',
    'quoted.ts',
    'random.ts',
    'rate-limit.ts',
    'thread-priority.ts',
  ],
]

/** What only these may import: adapters, programs of their own, and what is bundled. */
const reserved: Readonly<Record<string, readonly string[]>> = {
  'store/sqlite': ['cli', 'app.ts', 'composition', 'store'],
  'store/sqlite/sqlite-journal.ts': ['composition/journal.ts'],
  'store/cluster/jetstream': ['cli', 'composition'],
  'analysis/providers': ['composition'],
  dashboard: [],
  simulate: ['cli'],
  client: ['dashboard', 'simulate'],
}

/** Where a package is imported: one file, or one folder. */
const packages: Readonly<Record<string, string>> = {
  '@nats-io/transport-node': 'store/cluster/jetstream/engine.ts',
  'better-sqlite3': 'store/sqlite',
  'cli-progress': 'terminal/progress.ts',
  'cli-table3': 'terminal/table.ts',
  cockatiel: 'analysis/breaker.ts',
  'lru-cache': 'rate-limit.ts',
  'p-limit': 'composition/call-analysis.ts',
  'p-retry': 'analysis/retry.ts',
  pino: 'log.ts',
  preact: 'dashboard',
  'prom-client': 'metrics',
  'uWebSockets.js': 'http/uws.ts',
  uplot: 'dashboard',
  'vader-sentiment': 'analysis/providers',
  ws: 'simulate/sockets/message-line.ts',
  xstate: 'actors',
}

/** Schemas are written in TypeBox wherever there are some: beside a route, for the settings, for a provider's answer. */
const everywhere = ['typebox']

interface Import {
  readonly file: string
  readonly target: string
}

const files = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.tsx?$/.test(file))
  .sort()
const imports = files.flatMap(importsOf)
const internal = imports.filter(({ target }) => files.includes(target))
const external = imports.filter(({ target }) => !target.startsWith('.') && !files.includes(target))

function importsOf(file: string): Import[] {
  const text = readFileSync(join('src', file), 'utf8')
  const named = [...text.matchAll(/^(?:import|export)\b[^'"]*?from\s+['"]([^'"]+)['"]/gm)]
  const loaded = [...text.matchAll(/\b(?:import\(|import\s+)['"]([^'"]+)['"]/g)]
  return [...named, ...loaded].map(([, specifier = '']) => ({ file, target: resolved(file, specifier) }))
}

function resolved(file: string, specifier: string): string {
  if (!specifier.startsWith('.')) return packageOf(specifier)
  const path = normalize(join(dirname(file), specifier))
  const found = ['.ts', '.tsx', '.d.ts'].map((ending) => path.replace(/\.js$/, ending))
  return found.find((candidate) => files.includes(candidate)) ?? `./${path}`
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

function isWithin(file: string, place: string): boolean {
  return file === place || file.startsWith(`${place}/`)
}

function levelOf(file: string): number {
  const level = levels.findIndex((rooms) => rooms.some((room) => isWithin(file, room)))
  assert(level >= 0, `src/${file} stands in no room of test/structure.test.ts`)
  return level
}

const shown = ({ file, target }: Import): string => `src/${file} → src/${target}`

describe('the tree', () => {
  test('has no import that runs upwards', () => {
    assert(internal.length > 500, `${internal.length} imports were found`)
    const upwards = internal.filter(({ file, target }) => levelOf(file) > levelOf(target))
    assert.deepEqual(upwards.map(shown), [])
  })

  test('keeps its adapters and programs to those that wire them', () => {
    const strangers = internal.filter(({ file, target }) =>
      Object.entries(reserved).some(
        ([room, importers]) =>
          isWithin(target, room) && ![room, ...importers].some((importer) => isWithin(file, importer)),
      ),
    )
    assert.deepEqual(strangers.map(shown), [])
  })

  test('has no circle of files', () => {
    assert.deepEqual(circles(), [])
  })

  test('imports each package in one place', () => {
    const found = external.filter(
      ({ target }) =>
        !target.startsWith('node:') && !builtinModules.includes(target) && !everywhere.includes(target),
    )
    const used = new Set(found.map(({ target }) => target))
    assert.deepEqual(
      [...used].filter((name) => !(name in packages)),
      [],
      'packages without a place',
    )
    assert.deepEqual(
      Object.keys(packages).filter((name) => !used.has(name)),
      [],
      'places without a package',
    )
    const strangers = found.filter(({ file, target }) => !isWithin(file, packages[target] ?? ''))
    assert.deepEqual(
      strangers.map(({ file, target }) => `src/${file} → ${target}`),
      [],
    )
  })
})

/** Each file that can be reached from itself, with the shortest way back. */
function circles(): string[] {
  const targets = new Map(files.map((file) => [file, internal.filter((each) => each.file === file)]))
  return files.flatMap((start) => {
    const ways = new Map<string, string>([[start, `src/${start}`]])
    for (const [file, way] of ways)
      for (const { target } of targets.get(file) ?? []) {
        if (target === start) return [`${way} → src/${start}`]
        if (!ways.has(target)) ways.set(target, `${way} → src/${target}`)
      }
    return []
  })
}
