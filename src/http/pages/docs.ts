/**
 * `/docs`: Swagger UI as the build has copied it from its npm package, held in memory: it works without any network. Its
 * addresses are relative: a proxy may have the service under a path of its own.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { StaticFile } from './static-file.js'

const folder = fileURLToPath(new URL('../../swagger-ui/', import.meta.url))

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>VoiceStream API</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
<link rel="icon" href="docs/favicon-32x32.png">
</head>
<body>
<div id="docs"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
`
const start = `SwaggerUIBundle({ url: 'openapi.json', dom_id: '#docs', deepLinking: true, validatorUrl: null })
`

export function docsFiles(): ReadonlyMap<string, StaticFile> {
  const file = (body: Buffer, contentType: string): StaticFile => ({
    status: '200 OK',
    contentType,
    body,
    headers: docsHeaders,
    encodings: [],
  })
  const packaged = (name: string, contentType: string) => file(readFileSync(join(folder, name)), contentType)
  return new Map<string, StaticFile>([
    ['/docs', file(Buffer.from(page), 'text/html; charset=utf-8')],
    ['/docs/start.js', file(Buffer.from(start), 'text/javascript; charset=utf-8')],
    ['/docs/swagger-ui.css', packaged('swagger-ui.css', 'text/css; charset=utf-8')],
    ['/docs/swagger-ui-bundle.js', packaged('swagger-ui-bundle.js', 'text/javascript; charset=utf-8')],
    ['/docs/favicon-32x32.png', packaged('favicon-32x32.png', 'image/png')],
  ])
}

/** Swagger UI sets styles from script, and draws its icons from data URLs. */
const docsHeaders = [
  [
    'Content-Security-Policy',
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'",
  ],
  ['X-Content-Type-Options', 'nosniff'],
  ['Cache-Control', 'no-cache'],
] as const
