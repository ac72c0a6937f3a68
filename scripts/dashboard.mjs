/** Bundles `src/dashboard/` into a folder of files that are served as they are: hashed names, and each compressed. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { build } from 'esbuild'

const source = 'src/dashboard'

export async function bundleDashboard(folder) {
  await build({
    entryPoints: {
      dashboard: join(source, 'main.tsx'),
      style: join(source, 'style/index.css'),
      icon: join(source, 'icon.svg'),
    },
    outdir: join(folder, 'assets'),
    entryNames: '[name]-[hash]',
    bundle: true,
    format: 'esm',
    target: 'es2022',
    platform: 'browser',
    minify: true,
    legalComments: 'none',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    loader: { '.svg': 'copy' },
    tsconfig: join(source, 'tsconfig.json'),
    logLevel: 'warning',
  })
  mkdirSync(folder, { recursive: true })
  const assets = readdirSync(join(folder, 'assets'))
  // Relative to /dashboard: a proxy may have the service under a path of its own.
  const addressOf = (start, end) => {
    const found = assets.filter((name) => name.startsWith(start) && name.endsWith(end))
    if (found.length !== 1) throw new Error(`${found.length} files are ${start}…${end}`)
    return `dashboard/assets/${found[0]}`
  }
  const page = readFileSync(join(source, 'index.html'), 'utf8')
    .replace('{{style}}', addressOf('style-', '.css'))
    .replace('{{script}}', addressOf('dashboard-', '.js'))
    .replace('{{icon}}', addressOf('icon-', '.svg'))
  writeFileSync(join(folder, 'index.html'), page)
  for (const path of [join(folder, 'index.html'), ...assets.map((name) => join(folder, 'assets', name))]) {
    const bytes = readFileSync(path)
    writeFileSync(`${path}.br`, brotliCompressSync(bytes))
    writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }))
  }
}
