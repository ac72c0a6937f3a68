/** P15: neither audio nor a key goes to a server that cannot prove who it is. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { OpenAiServer } from '../support/openai-server.js'
import { eventually, get } from '../support/service.js'
import { postTone } from '../support/tone-calls.js'
import type { Stage } from './stage.js'
import type { Verdict } from './verdict.js'

export async function runBadCertificate(stage: Stage, { calls }: { calls: number }): Promise<Verdict> {
  const server = await OpenAiServer.start(undefined, selfSigned(stage.folder()))
  stage.after(() => server.stop())
  const service = await stage.service({
    dataDir: stage.folder(),
    settings: {
      AI_PROVIDER: 'openai',
      AI_BASE_URL: server.baseUrl,
      AI_API_KEY: 'key-of-the-torture',
      AI_TRANSCRIPTION_MODEL: 'whisper-1',
      AI_CHAT_MODEL: 'gpt-4o-mini',
      AI_BACKOFF_BASE_MS: 50,
      AI_BREAKER_FAILURES: 0,
      DEFAULT_ENCODING: 'pcm_s16le',
    },
  })
  const ids = Array.from({ length: calls }, (_, n) => `certificate-${n}`)
  await Promise.all(ids.map((id) => postTone(service, id, 1)))
  const findings: string[] = []
  for (const id of ids) {
    const { body } = await eventually(
      () => get(service, `/v1/call/${id}`),
      (answer) => answer.body['state'] === 'FAILED' || answer.body['state'] === 'ARCHIVED',
      60_000,
    )
    const { error } = body['ai'] as { error: string | null }
    if (body['state'] !== 'FAILED' || !/no answer: \w*SELF_SIGNED_CERT/.test(error ?? ''))
      findings.push(`a call is ${body['state']} and says ${error}`)
  }
  if (server.requests.length > 0) findings.push(`the server was sent ${server.requests.length} requests`)
  return { counts: { calls }, faults: server.connections, findings }
}

function selfSigned(folder: string): { readonly cert: Buffer; readonly key: Buffer } {
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  const words = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -keyout ${keyFile} -out ${certFile}`
  execFileSync('openssl', words.split(' '), { stdio: 'ignore' })
  return { cert: readFileSync(certFile), key: readFileSync(keyFile) }
}
