/** For those who run the service: what it is, whether it lives, whether it can serve, what it counts. */
import Type from 'typebox'
import { version } from '../../version.js'
import { jsonType } from '../exchange.js'
import type { Route } from '../routes.js'

/** Why the service cannot take packets now. */
export const notReadyReasons = [
  'starting',
  'draining',
  'store_failed',
  'disk_full',
  'journal_full',
  'overloaded',
] as const
export type NotReadyReason = (typeof notReadyReasons)[number]

export interface OperationsPorts {
  notReady(): readonly NotReadyReason[]
  readonly metricsArePublic: boolean
  metricsType: string
  metrics(): Promise<string>
}

const ServiceInformation = Type.Object({
  service: Type.String(),
  status: Type.String(),
  version: Type.String(),
})
const Readiness = Type.Object({
  status: Type.Union([Type.Literal('ready'), Type.Literal('not_ready')]),
  reasons: Type.Array(Type.String()),
})

export function operationRoutes(ports: OperationsPorts): readonly Route[] {
  const status = () => (ports.notReady().length === 0 ? 'running' : 'not_ready')
  return [
    {
      method: 'GET',
      path: '/',
      access: 'public',
      tag: 'operations',
      summary: 'Service information',
      answers: {
        200: { description: 'Name, status and version.', schema: ServiceInformation },
        302: { description: 'A browser (`Accept: text/html`) is redirected to the page.' },
      },
      answer: (exchange) => {
        if (!exchange.accept.includes('text/html'))
          return exchange.json({ service: 'VoiceStream', status: status(), version })
        exchange.send('302 Found', 'text/plain', '', [
          // Relative: a proxy may have the service under a path of its own.
          ['Location', 'dashboard'],
          ['Vary', 'Accept'],
        ])
      },
    },
    {
      method: 'GET',
      path: '/health/live',
      access: 'public',
      tag: 'operations',
      summary: 'Is the process alive?',
      answers: { 200: { description: 'Yes.', schema: Type.Object({ status: Type.Literal('live') }) } },
      answer: (exchange) => exchange.json({ status: 'live' }),
    },
    {
      method: 'GET',
      path: '/health/ready',
      access: 'public',
      tag: 'operations',
      summary: 'Can the service accept packets now?',
      answers: {
        200: { description: 'Yes.', schema: Readiness },
        503: { description: 'No, with reasons.', mediaType: jsonType, schema: Readiness },
      },
      answer: (exchange) => {
        const reasons = ports.notReady()
        if (reasons.length === 0) return exchange.json({ status: 'ready', reasons })
        exchange.send('503 Service Unavailable', jsonType, JSON.stringify({ status: 'not_ready', reasons }), [
          ['Retry-After', '1'],
        ])
      },
    },
    {
      method: 'GET',
      path: '/metrics',
      answerBytesMax: 0,
      access: ports.metricsArePublic ? 'public' : 'supervisor',
      tag: 'operations',
      summary: 'Metrics in the Prometheus text format',
      answers: { 200: { description: 'Metrics.', mediaType: 'text/plain' } },
      answer: async (exchange) => exchange.send('200 OK', ports.metricsType, await ports.metrics()),
    },
  ]
}
