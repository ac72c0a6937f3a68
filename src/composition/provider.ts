/** Makes the AI provider from the settings. A bad setting stops the start. */
import { isIP } from 'node:net'
import type { AnalysisProvider } from '../analysis/provider.js'
import { LocalProvider } from '../analysis/providers/local-provider.js'
import { Connection } from '../analysis/providers/openai/connection.js'
import { OpenAiProvider } from '../analysis/providers/openai/openai-provider.js'
import { SimulatedProvider } from '../analysis/providers/simulated-provider.js'
import { type Config, ConfigError } from '../config/config.js'
import { isLoopback } from '../config/listening-rules.js'
import { readPrivateFile } from '../config/private-file.js'
import { unreachable } from '../errors.js'
import { limits } from '../limits.js'

/** Of an HTTP header: visible, without spaces. */
const keyPattern = /^[\x21-\x7e]{1,512}$/

/** Throws `ConfigError`. */
export function createProvider(config: Config): AnalysisProvider {
  if (config.AI_PROVIDER !== 'openai') assertWithoutServer(config)
  switch (config.AI_PROVIDER) {
    case 'simulated':
      return new SimulatedProvider({
        failureRate: config.AI_SIMULATED_FAILURE_RATE,
        latencyMinMs: config.AI_SIMULATED_LATENCY_MIN_MS,
        latencyMaxMs: config.AI_SIMULATED_LATENCY_MAX_MS,
        seed: config.AI_SIMULATED_SEED,
      })
    case 'local':
      return new LocalProvider()
    case 'openai':
      return openAiProvider(config)
    default:
      return unreachable(config.AI_PROVIDER)
  }
}

/** Whoever names a server expects calls to be sent there. */
function assertWithoutServer(config: Config): void {
  const settings = [
    'AI_BASE_URL',
    'AI_API_KEY',
    'AI_API_KEY_FILE',
    'AI_CHAT_BASE_URL',
    'AI_CHAT_API_KEY',
    'AI_CHAT_API_KEY_FILE',
  ] as const
  const given = settings.find((setting) => config[setting] !== '')
  if (given !== undefined)
    throw new ConfigError(
      `${given} is set, but AI_PROVIDER is ${config.AI_PROVIDER}: set AI_PROVIDER=openai to use it`,
    )
}

function openAiProvider(config: Config): OpenAiProvider {
  for (const setting of ['AI_BASE_URL', 'AI_TRANSCRIPTION_MODEL', 'AI_CHAT_MODEL'] as const)
    if (config[setting] === '') throw new ConfigError(`AI_PROVIDER=openai needs ${setting}; see docs/ai.md`)
  const transcription = connectionTo(config, 'AI_BASE_URL', 'AI_API_KEY')
  return new OpenAiProvider(
    { transcription, chat: chatConnection(config) ?? transcription },
    {
      transcriptionModel: config.AI_TRANSCRIPTION_MODEL,
      chatModel: config.AI_CHAT_MODEL,
      language: config.AI_LANGUAGE,
      pieceTargetMs: config.AI_PIECE_MS,
    },
  )
}

function chatConnection(config: Config): Connection | null {
  if (config.AI_CHAT_BASE_URL !== '') return connectionTo(config, 'AI_CHAT_BASE_URL', 'AI_CHAT_API_KEY')
  if (config.AI_CHAT_API_KEY !== '' || config.AI_CHAT_API_KEY_FILE !== '')
    throw new ConfigError(
      'AI_CHAT_API_KEY is for the server that AI_CHAT_BASE_URL names, and which is not set',
    )
  return null
}

function connectionTo(
  config: Config,
  urlSetting: 'AI_BASE_URL' | 'AI_CHAT_BASE_URL',
  keySetting: 'AI_API_KEY' | 'AI_CHAT_API_KEY',
): Connection {
  return new Connection({
    baseUrl: readUrl(urlSetting, config[urlSetting], config.AI_ALLOW_HTTP),
    apiKey: readKey(config, keySetting),
    responseBytesMax: limits.providerAnswerBytesMax,
    socketsMax: config.AI_CONCURRENCY,
  })
}

/** What stands there is not shown: it may hold a password. */
function readUrl(setting: string, text: string, allowsHttp: boolean): URL {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || !['http:', 'https:'].includes(url.protocol))
    throw new ConfigError(`${setting} is not an http or https URL`)
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    throw new ConfigError(
      `${setting} must not contain a user, password, query or fragment; put the key into AI_API_KEY`,
    )
  if (url.protocol === 'http:' && !isThisMachine(url.hostname) && !allowsHttp)
    throw new ConfigError(
      `${setting} is http to another machine: calls would cross the network unencrypted; use https, or AI_ALLOW_HTTP=true in a network that you trust`,
    )
  return url
}

function isThisMachine(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '')
  return isIP(host) === 0 ? host === 'localhost' : isLoopback(host)
}

function readKey(config: Config, setting: 'AI_API_KEY' | 'AI_CHAT_API_KEY'): string {
  const path = config[`${setting}_FILE`]
  if (path !== '' && config[setting] !== '')
    throw new ConfigError(`${setting} and ${setting}_FILE are both set; set only one of them`)
  const key = path === '' ? config[setting] : readPrivateFile(`${setting}_FILE`, path).trim()
  if (path !== '' && key === '') throw new ConfigError(`${setting}_FILE ${path} is empty`)
  if (key !== '' && !keyPattern.test(key))
    throw new ConfigError(`${setting} is not a valid key: at most 512 visible characters, no spaces`)
  return key
}
