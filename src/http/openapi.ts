/** `/openapi.json`, out of the route table and the schemas, so that only one description must be kept true. */
import Type, { type TSchema } from 'typebox'
import { eventSchemas } from '../protocol/event.js'
import { CallIdText } from '../protocol/packet.js'
import { Problem } from '../protocol/problem.js'
import { version } from '../version.js'
import { jsonType, problemType } from './exchange.js'
import type { Route, RouteAnswer } from './routes.js'

const bearerDescription =
  'A token of the role that the operation names; a supervisor’s operation also accepts an administrator’s token. A service without credentials needs none.'

export function openApi(routes: readonly Route[]): unknown {
  const paths: Record<string, Record<string, unknown>> = {}
  for (const route of routes) {
    const operations = paths[route.path] ?? {}
    operations[route.method.toLowerCase()] = operation(route)
    paths[route.path] = operations
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'VoiceStream',
      version,
      description:
        'Receives and stores the packets of live calls, and analyses every finished call. Supervisors receive the events of `x-events` from the WebSocket `/ws/supervisor`, one JSON object a message.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    // Relative to the document itself: a proxy may have the service under a path of its own.
    servers: [{ url: '.' }],
    paths,
    components: {
      schemas: { Problem: bare(Problem) },
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', description: bearerDescription } },
    },
    'x-events': Object.fromEntries(
      eventSchemas.map((schema) => [(schema as { $id?: string }).$id, bare(schema)]),
    ),
  }
}

/** `$id` is for us; in a document it would be taken for an address. */
function bare(schema: TSchema): unknown {
  return JSON.parse(JSON.stringify(schema, (key, value) => (key === '$id' ? undefined : value)))
}

function operation(route: Route): unknown {
  const { tag, summary, description } = route
  const parameters = [
    ...[...route.path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => ({
      name,
      in: 'path',
      required: true,
      schema: name === 'call_id' ? CallIdText : Type.String(),
    })),
    ...(route.query ?? []).map(({ name, schema }) => ({ name, in: 'query', required: false, schema })),
  ]
  const body =
    route.method === 'POST'
      ? {
          requestBody: {
            required: route.body.isOptional !== true,
            content: { [route.body.mediaType]: { schema: bare(route.body.schema) } },
          },
        }
      : {}
  return {
    tags: [tag],
    summary,
    ...(description === undefined ? {} : { description }),
    // OpenAPI 3.1 lets a bearer scheme name roles.
    security: route.access === 'public' ? [] : [{ bearer: [route.access] }],
    parameters,
    ...body,
    responses: responses(route),
  }
}

function responses(route: Route): Record<string, unknown> {
  const found: Record<string, unknown> = {}
  for (const [status, answer] of Object.entries(route.answers)) found[status] = response(status, answer)
  const refused =
    route.access === 'public'
      ? {}
      : { 401: 'No credential, or an unknown one.', 403: 'A credential of another role.', 429: 'Too many.' }
  const usual =
    route.method === 'POST'
      ? {
          400: 'Malformed request.',
          413: 'Body too large.',
          415: 'Wrong media type.',
          422: 'Invalid content.',
        }
      : { 400: 'Malformed request.' }
  for (const [status, description] of Object.entries({
    ...usual,
    ...refused,
    503: 'Unknown, send it again (`Retry-After`).',
  }))
    found[status] ??= response(status, { description })
  return found
}

function response(status: string, { description, mediaType, schema }: RouteAnswer): unknown {
  if (schema === undefined && Number(status) < 400)
    return { description, content: { [mediaType ?? jsonType]: {} } }
  if (schema !== undefined)
    return { description, content: { [mediaType ?? jsonType]: { schema: bare(schema) } } }
  return { description, content: { [problemType]: { schema: { $ref: '#/components/schemas/Problem' } } } }
}
