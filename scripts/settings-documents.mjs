/**
 * Writes what `src/config/settings.ts` says of the settings into the README's table and into `.env.example`. With `--check` it
 * writes nothing and fails where they differ.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { environmentPrefix, settings } from '../dist/config/settings.js'

const rows = Object.entries(settings).map(([key, { default: value, description }]) => ({
  key,
  value: String(value),
  description,
}))

const table = [
  '| setting | default | |',
  '| --- | --- | --- |',
  ...rows.map(
    ({ key, value, description }) =>
      `| \`${key}\` | ${value === '' ? '' : `\`${value}\` `}| ${description.replaceAll('|', '\\|')} |`,
  ),
].join('\n')

const example = [
  '# Every setting with its default. The service reads this file as .env from the folder in which it is started, systemd',
  '# as its EnvironmentFile, and docker compose as env_file. Flags and variables of the environment come before it.',
  ...rows.map(({ key, value, description }) => `\n# ${description}\n#${environmentPrefix}${key}=${value}`),
  '',
].join('\n')

const tablePattern = /^\| setting \| default \|.*\n(?:\|.*\n)+/m
const readme = readFileSync('README.md', 'utf8')
if (!tablePattern.test(readme)) throw new Error('README.md has no table of settings')

const documents = [
  ['README.md', readme.replace(tablePattern, () => `${table}\n`)],
  ['.env.example', example],
]

for (const [path, text] of documents) {
  if (!process.argv.includes('--check')) writeFileSync(path, text)
  else if (readFileSync(path, 'utf8') !== text) {
    console.error(`${path} does not say what src/config/settings.ts says: npm run settings`)
    process.exitCode = 1
  }
}
