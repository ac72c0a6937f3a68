/** The floor over HTTP: totals now, and the last hour for charts. */
import { Floor } from '../../protocol/floor.js'
import type { Route } from '../routes.js'

export function floorRoute(floorNow: () => Floor): Route {
  return {
    method: 'GET',
    path: '/v1/floor',
    access: 'supervisor',
    tag: 'supervisors',
    summary: 'The floor: totals and the last hour',
    description:
      'Counts since the start of the process, at most the last hour. Live: `/ws/supervisor?view=floor`.',
    answers: { 200: { description: 'Totals and history.', schema: Floor } },
    answer: (exchange) => exchange.json(floorNow()),
  }
}
