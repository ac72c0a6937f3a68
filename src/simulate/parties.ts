/**
 * Who speaks on a simulated call: an agent of a queue, a caller and the number that was called. From small lists, so that lists, filters
 * and figures of the page have something to tell. The numbers are of ranges that are kept for fiction, and ring nowhere.
 */

export interface Parties {
  readonly direction: 'inbound'
  readonly caller: string
  readonly callee: string
  readonly agent: string
  readonly queue: string
}

const queues = [
  { name: 'Billing', number: '+442079460101', agents: ['Maria Lopez', 'Jonas Weber', 'Sofia Rossi'] },
  { name: 'Support', number: '+442079460102', agents: ['Aisha Khan', 'Tom Becker', 'Yuki Tanaka'] },
  { name: 'Sales', number: '+442079460103', agents: ['Priya Nair', 'Luca Bianchi'] },
  { name: 'Cancellations', number: '+442079460104', agents: ['Emma Dubois', 'Noah Jensen'] },
] as const

/** Britain, the United States, Germany, France and Australia. */
const callers = ['+447700900', '+1202555', '+4930231250', '+331990000', '+61491570']
/** The last digits of each: `+1 202 555 0100` to `0199` for one. */
const endings = [
  (count: number) => String(count % 1000).padStart(3, '0'),
  (count: number) => `01${String(count % 100).padStart(2, '0')}`,
  (count: number) => String(count % 100).padStart(2, '0'),
  (count: number) => String(count % 100).padStart(2, '0'),
  (count: number) => ['006', '156', '157', '158', '159', '110'][count % 6] as string,
]

/** Of the call with this place in the run: the same in every run. */
export function partiesOf(callIndex: number): Parties {
  const queue = queues[callIndex % queues.length] as (typeof queues)[number]
  const country = (callIndex * 3) % callers.length
  const ending = endings[country] as (count: number) => string
  return {
    direction: 'inbound',
    caller: `${callers[country]}${ending(callIndex * 17 + 21)}`,
    callee: queue.number,
    agent: queue.agents[Math.floor(callIndex / queues.length) % queue.agents.length] as string,
    queue: queue.name,
  }
}

/** As custom parameters of a platform that has no words for them. */
export function ownParameters({ agent, queue }: Parties): Readonly<Record<string, string>> {
  return { 'voicestream.agent': agent, 'voicestream.queue': queue }
}

/** Where it has none for the numbers either. */
export function allParameters(parties: Parties): Readonly<Record<string, string>> {
  const { caller, callee, direction } = parties
  return {
    'voicestream.caller': caller,
    'voicestream.callee': callee,
    'voicestream.direction': direction,
    ...ownParameters(parties),
  }
}
