/** The certificate and key of a service that ends TLS itself, tried before uWebSockets.js gets them. */
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { ConfigError } from '../../config/config.js'

export interface TlsFiles {
  readonly certFile: string
  readonly keyFile: string
}

/** Null where none are named. Throws `ConfigError`: uWebSockets.js would only say that it has failed. */
export function tlsFiles(certFile: string, keyFile: string): TlsFiles | null {
  if (certFile === '' && keyFile === '') return null
  if (certFile === '' || keyFile === '')
    throw new ConfigError('TLS_CERT_FILE and TLS_KEY_FILE belong together; set both or neither')
  const cert = read('TLS_CERT_FILE', certFile)
  const key = read('TLS_KEY_FILE', keyFile)
  try {
    createSecureContext({ cert, key })
  } catch (error) {
    throw new ConfigError(
      `TLS_CERT_FILE ${certFile} and TLS_KEY_FILE ${keyFile} are not a matching PEM certificate and key (${(error as NodeJS.ErrnoException).code})`,
    )
  }
  return { certFile, keyFile }
}

function read(setting: string, path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new ConfigError(`${setting} ${path} cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
}
