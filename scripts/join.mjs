/**
 * Joins each program and thread of a compiled folder, with the packages that it uses, into few files below `joined/`. A
 * process and each of its threads read some 1,400 files otherwise, which is more than half of what a start costs.
 */
import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'

/** Compiled code, which finds itself by its file. */
const nativePackages = ['better-sqlite3', 'uWebSockets.js']

/**
 * A program `x.js` becomes a line that imports `joined/x.js`. As it was compiled it stays as `x.apart.js`, for those who
 * change one of its many files and run it from them.
 */
export async function joinPrograms(folder) {
  const { build: bundle } = await import('esbuild')
  const programs = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /(^|\/)main\.js$|-thread\.js$/.test(name),
  )
  for (const program of programs) renameSync(join(folder, program), join(folder, apartOf(program)))
  const joinedFrom = async (some, splitting) => {
    const { metafile } = await bundle({
      entryPoints: Object.fromEntries(
        some.map((program) => [basename(program, '.js'), join(folder, apartOf(program))]),
      ),
      outdir: join(folder, 'joined'),
      bundle: true,
      splitting,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      external: nativePackages,
      // Packages in CommonJS ask for Node's modules with it.
      banner: {
        js: `import { createRequire as requireOf } from 'node:module'\nconst require = requireOf(import.meta.url)`,
      },
      plugins: [{ name: 'places', setup: (build) => keepPlaces(build, folder) }],
      metafile: true,
      logLevel: 'warning',
    })
    return metafile.inputs
  }
  // A command loads its own part of the program. A thread shares nothing with others, and is one file.
  const [threads, commands] = [true, false].map((isThread) =>
    programs.filter((program) => program.endsWith('-thread.js') === isThread),
  )
  const inputs = await Promise.all([joinedFrom(threads, false), joinedFrom(commands, true)])
  for (const program of programs) writeFileSync(join(folder, program), stubOf(folder, program))
  writeFileSync(join(folder, 'joined/LICENSES.txt'), licencesOf(inputs.flatMap(Object.keys)))
}

/** Test files run from what was compiled. One package has 683 files, which most of them would read. */
const joinedForTests = { typebox: 'typebox', 'typebox/compile': 'typebox-compile' }

/** Joins it below `joined-for-tests/`, and has the compiled files import it from there. */
export async function joinForTests(folder) {
  const { build: bundle } = await import('esbuild')
  const joined = join(folder, 'joined-for-tests')
  await bundle({
    entryPoints: Object.entries(joinedForTests).map(([name, out]) => ({ in: name, out })),
    outdir: joined,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    logLevel: 'warning',
  })
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /^(src|test|bench)\/.*\.js$/.test(name),
  )
  for (const file of files) {
    const path = join(folder, file)
    const text = readFileSync(path, 'utf8')
    const changed = text.replaceAll(/ from '(typebox(?:\/compile)?)'/g, (_, name) => {
      const place = relative(dirname(path), join(joined, `${joinedForTests[name]}.js`))
      return ` from '${place.startsWith('.') ? place : `./${place}`}'`
    })
    if (changed !== text) writeFileSync(path, changed)
  }
}

const apartOf = (program) => program.replace(/\.js$/, '.apart.js')

function stubOf(folder, program) {
  const [first] = readFileSync(join(folder, apartOf(program)), 'utf8').split('\n')
  const shebang = first.startsWith('#!') ? `${first}\n` : ''
  const above = relative(dirname(program), '.') || '.'
  return `${shebang}import '${above}/joined/${basename(program)}'\n`
}

function keepPlaces(build, folder) {
  // One module for all, so that a test can preload other limits.
  build.onResolve({ filter: /\/limits\.js$/ }, ({ resolveDir, path }) =>
    join(resolveDir, path) === resolve(folder, 'limits.js')
      ? { path: '../limits.js', external: true }
      : undefined,
  )
  // What a file finds beside itself is there still: threads, the page, package.json.
  build.onLoad({ filter: /\.js$/ }, ({ path }) => {
    if (path.includes('/node_modules/')) return undefined
    const text = readFileSync(path, 'utf8')
    const place = `new URL('../${relative(resolve(folder), path)}', import.meta.url).href`
    return { contents: text.replaceAll('import.meta.url', place), loader: 'js' }
  })
}

/** Of every package that was joined. */
function licencesOf(paths) {
  const packages = new Set(
    paths.flatMap((path) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []),
  )
  return [...packages].sort().map(licenceOf).join('\n')
}

function licenceOf(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each))
  const text = file === undefined ? `${license}\n` : readFileSync(join(folder, file), 'utf8')
  return `${name} ${version}\n\n${text}`
}
