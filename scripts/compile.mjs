/** How `dist/` and `build/` come to be. A folder takes its place only when all of it has succeeded. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { joinForTests, joinPrograms } from './join.mjs'

const stamp = '.built-from'
/** `LICENSE` and `NOTICE` go with every copy. */
const swaggerFiles = ['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png', 'LICENSE', 'NOTICE']
const common = ['src', 'scripts', 'tsconfig.json', 'package.json', 'package-lock.json']

const targets = {
  dist: { sources: common, fill: fillDist },
  build: {
    sources: [...common, 'test', 'bench', 'tsconfig.test.json'],
    fill: async (folder) => {
      await compile('tsconfig.test.json', folder)
      await joinPrograms(join(folder, 'src'))
      await joinForTests(folder)
    },
  },
}

export async function build({ withTests, ifChanged }) {
  const names = withTests ? ['dist', 'build'] : ['dist']
  const stale = names.map((name) => ({ name, digest: digestOf(targets[name].sources) })).filter(isStale)
  if (stale.length > 0) console.error(`building ${stale.map(({ name }) => `${name}/`).join(' and ')} …`)
  // Side by side: one compiler does not fill two cores.
  await Promise.all(stale.map(replace))

  function isStale({ name, digest }) {
    return !ifChanged || readStamp(name) !== digest
  }
}

async function replace({ name, digest }) {
  const fresh = `${name}.new`
  rmSync(fresh, { recursive: true, force: true })
  await targets[name].fill(fresh)
  writeFileSync(join(fresh, stamp), digest)
  rmSync(name, { recursive: true, force: true })
  renameSync(fresh, name)
}

async function fillDist(folder) {
  await compile('tsconfig.json', folder)
  await joinPrograms(folder)
  // Loaded only when it is needed: a start that builds nothing does not wait for it.
  const { bundleDashboard } = await import('./dashboard.mjs')
  await bundleDashboard(join(folder, 'dashboard'))
  const swagger = join(folder, 'swagger-ui')
  mkdirSync(swagger)
  for (const name of swaggerFiles)
    copyFileSync(join('node_modules/swagger-ui-dist', name), join(swagger, name))
}

async function compile(project, folder) {
  const words = ['node_modules/typescript/bin/tsc', '-p', project, '--outDir', folder]
  const [code] = await once(spawn(process.execPath, words, { stdio: 'inherit' }), 'exit')
  if (code !== 0) process.exit(code ?? 1)
}

/** By content: a checkout or a copy may leave any time on a file. */
function digestOf(paths) {
  const hash = createHash('sha256').update(process.version)
  for (const path of paths.flatMap(filesBelow))
    hash.update(`${path}\0`).update(readFileSync(path)).update('\0')
  return hash.digest('hex')
}

function filesBelow(path) {
  if (!statSync(path).isDirectory()) return [path]
  return readdirSync(path)
    .sort()
    .flatMap((name) => filesBelow(join(path, name)))
}

function readStamp(folder) {
  try {
    return readFileSync(join(folder, stamp), 'utf8')
  } catch {
    // It was never built, or not to its end.
    return null
  }
}
