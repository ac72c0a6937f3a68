/** Listening to calls, wired: what is heard is journaled by the call that it is about. */
import type { HeardCall } from '../actors/alert-view.js'
import type { CallContext } from '../actors/call-context.js'
import { openLegs } from '../actors/call-legs.js'
import type { CallLife } from '../actors/call-messages.js'
import type { Clock } from '../clock.js'
import type { Config } from '../config/config.js'
import { CallInsights } from '../insight/call-insights.js'
import type { AlertNews } from '../insight/insight-messages.js'
import type { Log } from '../log.js'
import type { CallId } from '../protocol/call-id.js'
import type { LifecycleEntry } from '../store/journal.js'

export interface InsightParts {
  readonly config: Config
  readonly clock: Clock
  readonly log: Log
  record(life: CallLife, entry: LifecycleEntry): Promise<boolean>
}

/** Null where nobody is to listen. */
export function createInsights({ config, clock, log, record }: InsightParts): CallInsights | null {
  if (!config.INSIGHT) return null
  return new CallInsights({
    clock,
    terms: {
      deadAirMs: config.ALERT_DEAD_AIR_MS,
      oneWayMs: config.ALERT_ONE_WAY_MS,
      overtalkMs: config.ALERT_OVERTALK_MS,
    },
    channelsMax: config.INSIGHT_CHANNELS_MAX,
    news: (life, news) => {
      record(life, entryOf(news, clock.now())).catch((error: unknown) =>
        log.warn({ call_id: life.callId, err: error }, 'an alert could not be journaled'),
      )
    },
    died: (error) =>
      log.error(
        { err: error },
        'the thread that watches the sound of calls has died; another one starts in a minute',
      ),
  })
}

function entryOf(news: AlertNews, at: number): LifecycleEntry {
  return news.type === 'raised'
    ? { type: 'alert-raised', at, alert: news.alert }
    : { type: 'alert-cleared', at, alertId: news.alertId, toMs: news.toMs }
}

/** Where media streams bring the voices, those of streams that have ended are missed by nobody. */
export function keepOpenTracks(insights: CallInsights, context: CallContext, run: string): void {
  if (context.legs.legs.length === 0) return
  const open = openLegs(context).filter((leg) => leg.run === run)
  insights.keepTracks(context.callId, new Set(open.flatMap(({ tracks }) => tracks.map(({ track }) => track))))
}

/** Null where nothing is heard of the call. */
export async function heardOf(insights: CallInsights | null, callId: CallId): Promise<HeardCall | null> {
  if (insights === null) return null
  const isSkipped = insights.isSkipped(callId)
  const facts = await insights.facts(callId)
  return facts === null && !isSkipped ? null : { facts, isSkipped }
}
