/** Every setting: type, bounds, default and meaning. `npm run settings` writes docs/settings.md and `.env.example` from them. */
import Type, { type TSchema } from 'typebox'

const integer = (value: number, minimum: number, maximum: number, description: string) =>
  Type.Integer({ default: value, minimum, maximum, description })
/** Never printed, and refused as a flag, because every user of the machine can read flags. `file` is the setting that names a file. */
const secret = (file: string, description: string) =>
  Type.String({ default: '', description, isSecret: true, file })
const text = (description: string) => Type.String({ default: '', description })
const dayMs = 86_400_000

/** In the order in which they are printed. The key is the environment variable without its prefix. */
export const settings = {
  HOST: Type.String({ default: '127.0.0.1', minLength: 1, description: 'Address to listen on.' }),
  PORT: integer(8000, 0, 65_535, 'Port to listen on; 0 picks a free one.'),
  DATA_DIR: Type.String({ default: './data', minLength: 1, description: 'Folder of the database.' }),
  ACCEPT_DATA_LOSS: Type.Boolean({
    default: false,
    description: 'Start even if acknowledged packets are known to be missing from the files.',
  }),
  INGEST_TOKENS: secret('TOKENS_FILE', 'Bearer tokens of PBXs, separated by commas. They may write packets.'),
  SUPERVISOR_TOKENS: secret('TOKENS_FILE', 'Bearer tokens of supervisors. They may read.'),
  ADMIN_TOKENS: secret('TOKENS_FILE', 'Bearer tokens of administrators. They may read, delete and retry.'),
  TOKENS_FILE: text(
    'File with lines of "role token [name]" and of platforms (docs/security.md), mode 0600. SIGHUP reloads it.',
  ),
  PUBLIC_URL: text(
    'Address under which platforms reach the service (https://voice.example.com): some sign it with each request.',
  ),
  ALLOW_UNAUTHENTICATED: Type.Boolean({
    default: false,
    description: 'Start without credentials even on an address that is not loopback.',
  }),
  ALLOWED_ORIGINS: text('Origins (https://host:port, …) whose pages may use the service, besides its own.'),
  ALLOWED_HOSTS: text('Host names accepted without credentials, besides localhost and IP addresses.'),
  TRUSTED_PROXIES: text(
    'Addresses and networks (10.0.0.0/8, …) whose X-Forwarded-For and X-Forwarded-Proto are trusted.',
  ),
  TLS_CERT_FILE: text('Certificate chain (PEM): the service speaks TLS itself. Read only at the start.'),
  TLS_KEY_FILE: text('Private key of the certificate (PEM). Read only at the start.'),
  RATE_LIMIT_INGEST_PER_S: integer(
    0,
    0,
    10_000_000,
    'Requests per second of one ingest credential; 0 means no limit.',
  ),
  RATE_LIMIT_READS_PER_S: integer(
    200,
    0,
    1_000_000,
    'Other requests per second of one credential or address; 0 means no limit.',
  ),
  AUTH_FAILURES_PER_MIN: integer(
    10,
    0,
    1_000_000,
    'Unknown tokens per minute from one address; 0 means no limit.',
  ),
  SOCKETS_PER_CREDENTIAL_MAX: integer(
    1000,
    1,
    1_000_000,
    'Open supervisor sockets of one credential, at most.',
  ),
  SOCKETS_PER_ADDRESS_MAX: integer(1000, 1, 1_000_000, 'Open supervisor sockets from one address, at most.'),
  METRICS_PUBLIC: Type.Boolean({
    default: false,
    description: 'Serve /metrics without credentials, even if credentials are set.',
  }),
  LISTEN_NOTICE: Type.Boolean({
    default: false,
    description: 'Show on a live call the names of the credentials that listen to it.',
  }),
  RETENTION_DAYS: integer(0, 0, 36_500, 'Erase ended calls after this many days; 0 keeps them forever.'),
  GRACE_PERIOD_MS: integer(3000, 0, dayMs, 'How long a completed call accepts late packets.'),
  CALL_IDLE_TIMEOUT_MS: integer(
    900_000,
    1000,
    30 * dayMs,
    'A call without packets for this long is completed.',
  ),
  LEG_GRACE_MS: integer(
    30_000,
    0,
    dayMs,
    'After the last media stream of a call was lost or closed, how long the call waits for another one.',
  ),
  INSIGHT: Type.Boolean({
    default: true,
    description:
      'Watch the sound of running calls: who speaks, levels, quality, alerts. On a thread of its own.',
  }),
  INSIGHT_CHANNELS_MAX: integer(
    4000,
    1,
    100_000,
    'Voices whose sound is watched at once; those of calls that begin later are not.',
  ),
  ALERT_DEAD_AIR_MS: integer(15_000, 0, dayMs, 'Nobody speaks for so long: alert `dead_air`; 0: never.'),
  ALERT_ONE_WAY_MS: integer(
    20_000,
    0,
    dayMs,
    'One voice is silent for so long while another speaks: alert `one_way`; 0: never. A quarter, if its audio is digital silence from the start.',
  ),
  ALERT_OVERTALK_MS: integer(3000, 0, dayMs, 'Two speak at once for so long: alert `overtalk`; 0: never.'),
  ARI_MEDIA_CLIENT: Type.String({
    default: 'voicestream',
    pattern: '^[A-Za-z0-9_-]{1,64}$',
    description:
      'Section of Asterisk’s websocket_client.conf through which tapped audio comes to `/v1/media/asterisk`.',
  }),
  ARI_CONTEXTS: Type.String({
    default: '',
    description: 'Dialplan contexts whose calls are tapped, separated by commas; empty for all.',
  }),
  ARI_SHARE: integer(100, 0, 100, 'Percentage of the calls that are tapped.'),
  AUDIOSOCKET_PORT: integer(
    0,
    0,
    65_535,
    'Port for the AudioSocket connections of Asterisk (TCP, without any authentication); 0 accepts none.',
  ),
  AUDIOSOCKET_HOST: Type.String({
    default: '127.0.0.1',
    description: 'Address for AudioSocket connections. Use a private one: whoever reaches it can send audio.',
  }),
  AUDIOSOCKET_CODEC: Type.Union([Type.Literal('slin'), Type.Literal('ulaw'), Type.Literal('alaw')], {
    default: 'slin',
    description: 'What Asterisk sends as slin over AudioSocket: slin, ulaw or alaw.',
  }),
  AUDIOSOCKET_PAIRS: Type.Boolean({
    default: false,
    description:
      'The last digit of an AudioSocket UUID names the side (0 caller, 1 agent), the others the call.',
  }),
  DEFAULT_ENCODING: Type.Union(
    [Type.Literal('text'), Type.Literal('mulaw'), Type.Literal('alaw'), Type.Literal('pcm_s16le')],
    {
      default: 'text',
      description: 'Encoding assumed for calls that sent no `start`: text, mulaw, alaw or pcm_s16le.',
    },
  ),
  DEFAULT_SAMPLE_RATE: integer(
    8000,
    4000,
    192_000,
    'Sample rate (Hz) assumed for calls that sent no `start`.',
  ),
  DEFAULT_CHANNELS: integer(1, 1, 8, 'Channels (interleaved) assumed for calls that sent no `start`.'),
  AI_PROVIDER: Type.Union([Type.Literal('simulated'), Type.Literal('local'), Type.Literal('openai')], {
    default: 'simulated',
    description:
      'Provider that analyses finished calls: simulated, local (text calls only) or openai (docs/ai.md).',
  }),
  AI_BASE_URL: text(
    'OpenAI-compatible server; its URL normally ends in /v1. https, or http to this machine.',
  ),
  AI_API_KEY: secret('AI_API_KEY_FILE', 'API key, if the server needs one.'),
  AI_API_KEY_FILE: text('File with the API key instead, mode 0600.'),
  AI_ALLOW_HTTP: Type.Boolean({
    default: false,
    description: 'Allow http URLs: audio, transcripts and keys then cross the network unencrypted.',
  }),
  AI_TRANSCRIPTION_MODEL: text('Model for speech to text, as the server names it.'),
  AI_CHAT_MODEL: text('Model for sentiment, summary, topics and action items.'),
  AI_CHAT_BASE_URL: text('Server of the chat model, if it is a different one.'),
  AI_CHAT_API_KEY: secret('AI_CHAT_API_KEY_FILE', 'API key of the chat server, if it needs one.'),
  AI_CHAT_API_KEY_FILE: text('File with the API key of the chat server instead, mode 0600.'),
  AI_LANGUAGE: Type.String({
    default: '',
    pattern: '^([a-z]{2})?$',
    description: 'Spoken language (ISO 639-1: en, de, …); empty lets the server detect it.',
  }),
  AI_PIECE_MS: integer(
    300_000,
    60_000,
    1_200_000,
    'Approximate length of the pieces in which audio is transcribed; cuts are made where it is quiet.',
  ),
  REDACT: Type.String({
    default: 'off',
    description:
      'What is masked in transcripts and recordings: off, or a list of card, number, iban and email (docs/redaction.md).',
  }),
  AI_SIMULATED_FAILURE_RATE: Type.Number({
    default: 0.25,
    minimum: 0,
    maximum: 1,
    description: 'Share of simulated attempts that fail with 503.',
  }),
  AI_SIMULATED_LATENCY_MIN_MS: integer(1000, 0, 600_000, 'Shortest simulated attempt.'),
  AI_SIMULATED_LATENCY_MAX_MS: integer(3000, 0, 600_000, 'Longest simulated attempt.'),
  AI_SIMULATED_SEED: integer(1, 0, 2 ** 32 - 1, 'Seed of the simulated provider.'),
  AI_MAX_ATTEMPTS: integer(
    5,
    1,
    100,
    'Attempts to analyse a call, over all restarts. A provider that works in steps has as many for each step.',
  ),
  AI_BUDGET_MS: integer(
    60_000,
    1,
    30 * dayMs,
    'Total time of the attempts and waits of one call, or of one step.',
  ),
  AI_BACKOFF_BASE_MS: integer(
    1000,
    0,
    3_600_000,
    'First wait between attempts; each later wait is twice as long.',
  ),
  AI_ATTEMPT_TIMEOUT_MS: integer(
    20_000,
    1,
    3_600_000,
    'Deadline of one attempt, or of one of its steps, including the whole answer.',
  ),
  AI_CONCURRENCY: integer(64, 1, 10_000, 'Attempts that run at the same time, at most.'),
  AI_BREAKER_FAILURES: integer(
    10,
    0,
    1000,
    'Failed attempts in a row, over all calls, after which the provider counts as down; 0 means never. One fewer than AI_MAX_ATTEMPTS of a single call also suffice.',
  ),
  AI_BREAKER_PROBE_MS: integer(
    1000,
    1,
    60_000,
    'First wait before a provider that is down is tested again; each later wait is twice as long, up to a minute.',
  ),
  LOG_LEVEL: Type.Union(
    [
      Type.Literal('fatal'),
      Type.Literal('error'),
      Type.Literal('warn'),
      Type.Literal('info'),
      Type.Literal('debug'),
      Type.Literal('silent'),
    ],
    { default: 'info', description: 'Lowest level of log lines: fatal, error, warn, info, debug or silent.' },
  ),
} as const satisfies Record<string, TSchema>

export const environmentPrefix = 'VOICESTREAM_'

export function isSecret(key: string): boolean {
  return 'isSecret' in settings[key as keyof typeof settings]
}

/** The setting that names a file with the secret. */
export function fileOf(key: string): string {
  const setting = settings[key as keyof typeof settings]
  return 'file' in setting ? String(setting.file) : ''
}
