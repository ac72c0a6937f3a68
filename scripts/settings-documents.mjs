/** Writes `docs/settings.md` and `.env.example` from `src/config/settings.ts`. With `--check` it only compares, and fails on a difference. */
import { readFileSync, writeFileSync } from 'node:fs'
import { environmentPrefix, settings } from '../dist/config/settings.js'

const rows = Object.entries(settings).map(([key, { default: value, description }]) => ({
  key,
  value: String(value),
  description,
}))

const table = [
  '# Settings',
  '',
  '<!-- Written by `npm run settings` from src/config/settings.ts. Do not edit. -->',
  '',
  'Precedence: flags, environment, a `.env` file in the working directory, defaults. `PORT` is the flag `--port` and the variable',
  `\`${environmentPrefix}PORT\`, and so on. Tokens and keys cannot be flags, because every user of the machine can read those.`,
  'An unknown or invalid setting stops the start with exit code 78 and one line that names it.',
  '',
  '| setting | default | |',
  '| --- | --- | --- |',
  ...rows.map(
    ({ key, value, description }) =>
      `| \`${key}\` | ${value === '' ? '' : `\`${value}\` `}| ${description.replaceAll('|', '\\|')} |`,
  ),
  '',
].join('\n')

const example = [
  '# Every setting with its default. The service reads this file as .env from its working directory, systemd',
  '# as its EnvironmentFile, and docker compose as env_file. Flags and environment variables take precedence.',
  ...rows.map(({ key, value, description }) => `\n# ${description}\n#${environmentPrefix}${key}=${value}`),
  '',
].join('\n')

const documents = [
  ['docs/settings.md', table],
  ['.env.example', example],
]

for (const [path, text] of documents) {
  if (!process.argv.includes('--check')) writeFileSync(path, text)
  else if (readFileSync(path, 'utf8') !== text) {
    console.error(`${path} differs from src/config/settings.ts: run npm run settings`)
    process.exitCode = 1
  }
}
