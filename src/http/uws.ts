/**
 * The only importer of uWebSockets.js. Its types lack the `listen` with host, port and options, and its option; both work.
 */

import type { HttpRequest, HttpResponse, TemplatedApp, us_listen_socket, WebSocket } from 'uWebSockets.js'
import * as uws from 'uWebSockets.js'
import type { TlsFiles } from './gate/tls.js'

export type { HttpRequest, HttpResponse, TemplatedApp, WebSocket }
export type ListenSocket = us_listen_socket

const { LIBUS_LISTEN_EXCLUSIVE_PORT } = uws as unknown as { LIBUS_LISTEN_EXCLUSIVE_PORT: number }

interface ListeningApp {
  listen(host: string, port: number, options: number, done: (socket: ListenSocket | false) => void): void
}

export function createApp(tls: TlsFiles | null = null): TemplatedApp {
  if (tls === null) return uws.App()
  return uws.SSLApp({ cert_file_name: tls.certFile, key_file_name: tls.keyFile })
}

/**
 * Resolves with false where the address cannot be had. Without the exclusive option a second process could listen on the
 * same port and take half of the connections.
 */
export function listenExclusively(
  app: TemplatedApp,
  host: string,
  port: number,
): Promise<ListenSocket | false> {
  const listening = app as unknown as ListeningApp
  return new Promise((resolve) => {
    listening.listen(host, port, LIBUS_LISTEN_EXCLUSIVE_PORT, resolve)
  })
}

export function localPort(socket: ListenSocket): number {
  return uws.us_socket_local_port(socket)
}

export function closeListenSocket(socket: ListenSocket): void {
  uws.us_listen_socket_close(socket)
}
