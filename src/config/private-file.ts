/** Reads files with secrets, and refuses them if other users can read them. */
import { readFileSync, statSync } from 'node:fs'
import { ConfigError } from './config.js'

/** `setting` names the file's setting in what is said. Throws `ConfigError`. */
export function readPrivateFile(setting: string, path: string): string {
  let text: string
  let mode: number
  try {
    mode = statSync(path).mode
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new ConfigError(`${setting} ${path} cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
  if ((mode & 0o077) !== 0)
    throw new ConfigError(`${setting} ${path} is readable by other users; run chmod 600`)
  return text.replace(/^\ufeff/, '')
}
