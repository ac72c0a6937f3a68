/** Why an address cannot be listened on. uWebSockets.js only says that it failed, so Node tries once more and knows the cause. */
import { once } from 'node:events'
import { createServer } from 'node:net'

export async function listenFault(host: string, port: number): Promise<string> {
  return `cannot listen on ${host}:${port}: ${reasonOf(await codeOf(host, port))}`
}

async function codeOf(host: string, port: number): Promise<string> {
  const server = createServer()
  try {
    await once(server.listen({ host, port, exclusive: true }), 'listening')
    // It has become free since.
    return ''
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code)
  } finally {
    server.close()
  }
}

function reasonOf(code: string): string {
  switch (code) {
    case 'EADDRINUSE':
      return 'another process uses the port'
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return 'this machine does not have that address'
    case 'EACCES':
      return 'permission denied. Ports below 1024 need the capability CAP_NET_BIND_SERVICE, or a proxy in front'
    case '':
      return 'the port was taken a moment ago'
    default:
      return `the system says ${code}`
  }
}
