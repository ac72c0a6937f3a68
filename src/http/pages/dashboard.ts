/**
 * `/dashboard`: the supervisors' page as the build bundled it, read into memory once. What is not in this list is 404:
 * no path of a request ever reaches the file system.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { StaticFile } from './static-file.js'

const folder = fileURLToPath(new URL('../../dashboard/', import.meta.url))

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** `media-src blob:` is for a call's audio, which is fetched with a credential before it is played. */
const policy =
  "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'; media-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

const commonHeaders = [
  ['Content-Security-Policy', policy],
  ['X-Content-Type-Options', 'nosniff'],
  ['Referrer-Policy', 'no-referrer'],
  ['Vary', 'Accept-Encoding'],
] as const
/** What the page loads is relative to its address without a slash. */
const withoutSlash: StaticFile = {
  status: '302 Found',
  contentType: 'text/plain',
  body: Buffer.alloc(0),
  headers: [['Location', '../dashboard']],
  encodings: [],
}
const forever = ['Cache-Control', 'public, max-age=31536000, immutable'] as const
const askAgain = ['Cache-Control', 'no-cache'] as const

export function dashboardFiles(): ReadonlyMap<string, StaticFile> {
  const page = fileOf(join(folder, 'index.html'), askAgain)
  const assets = readdirSync(join(folder, 'assets')).filter((name) => extname(name) in contentTypes)
  return new Map([
    ['/dashboard', page],
    ['/dashboard/', withoutSlash],
    // Their names have a hash of their content.
    ...assets.map(
      (name) => [`/dashboard/assets/${name}`, fileOf(join(folder, 'assets', name), forever)] as const,
    ),
  ])
}

function fileOf(path: string, caching: readonly [string, string]): StaticFile {
  const contentType = contentTypes[extname(path)]
  if (contentType === undefined) throw new Error(`${path} has no known type`)
  return {
    status: '200 OK',
    contentType,
    body: readFileSync(path),
    headers: [...commonHeaders, caching],
    encodings: [
      ['br', readFileSync(`${path}.br`)],
      ['gzip', readFileSync(`${path}.gz`)],
    ],
  }
}
