/** The words of alerts: what is wrong with the sound of a call while it runs. */
import Type, { type Static } from 'typebox'
import { limits } from '../limits.js'
import { nullable } from './nullable.js'

export const AlertKindText = Type.Union(
  [
    Type.Literal('dead_air'),
    Type.Literal('one_way'),
    Type.Literal('overtalk'),
    Type.Literal('clipping'),
    Type.Literal('low_level'),
    Type.Literal('high_level'),
    Type.Literal('noise'),
    Type.Literal('tone'),
    Type.Literal('same_channels'),
    Type.Literal('wrong_encoding'),
  ],
  {
    description: `\`dead_air\`: nobody speaks. \`one_way\`: one voice is not heard while another speaks. \`overtalk\`: two speak at once. \`clipping\`: a voice is cut off at the limit. \`low_level\`, \`high_level\`, \`noise\`: too quiet, too loud, or hard to hear over noise. \`tone\`: a steady tone, such as busy, ringback or fax. \`same_channels\`: two voices sound alike. \`wrong_encoding\`: the bytes are not of the stated encoding.`,
  },
)

export type AlertKind = Static<typeof AlertKindText>
export const alertKinds: readonly AlertKind[] = AlertKindText.anyOf.map((kind) => kind.const)

export const AlertSeverityText = Type.Union([
  Type.Literal('notice'),
  Type.Literal('warning'),
  Type.Literal('critical'),
])
export type AlertSeverity = Static<typeof AlertSeverityText>

export const alertIdPattern = `^(?:${alertKinds.join('|')}):(?:[0-9]{1,2}|call):[0-9]{1,6}$`

/** What an insight says when something begins: the journal keeps it. */
export const RaisedAlert = Type.Object({
  alert_id: Type.String({
    pattern: alertIdPattern,
    description: 'The kind, the channel (`call`: of the whole call) and a count.',
  }),
  kind: AlertKindText,
  severity: AlertSeverityText,
  channel: nullable(
    Type.Integer({ minimum: 0, description: 'The voice; null if the alert is of the whole call.' }),
  ),
  from_ms: Type.Integer({ minimum: 0, description: 'Milliseconds of audio from the start of the call.' }),
  since: Type.String({ format: 'date-time' }),
  certain: Type.Boolean({ description: 'False: a suspicion, for example of a party who only listens.' }),
})
export type RaisedAlert = Static<typeof RaisedAlert>

const Time = Type.String({ format: 'date-time' })
const share = (description: string) => Type.Number({ minimum: 0, maximum: 1, description })
const Milliseconds = (description: string) => Type.Integer({ minimum: 0, description })

/** An alert with what has become of it. */
export const Alert = Type.Object(
  {
    ...RaisedAlert.properties,
    to_ms: nullable(Type.Integer({ minimum: 0, description: 'Null while it lasts.' })),
    acknowledged_by: nullable(
      Type.String({ description: 'The name of the credential; null without credentials.' }),
    ),
    acknowledged_at: nullable(Time),
    note: nullable(Type.String()),
  },
  { $id: 'Alert' },
)
export type Alert = Static<typeof Alert>

export const VoiceFacts = Type.Object({
  channel: Type.Integer({
    minimum: 0,
    description: 'The voice: counted over the channels of the call’s tracks, as in its audio.',
  }),
  is_speaking: Type.Boolean(),
  speech_ms: Milliseconds('Milliseconds of speech so far.'),
  level_dbfs: Type.Number({ description: 'Level of the last 20 ms, in dB of full scale.' }),
  noise_dbfs: Type.Number({ description: 'Noise of the line, in dB of full scale.' }),
  clipped: share('Samples at the limit, of its speech.'),
  dtmf_keys: Type.Integer({ minimum: 0, description: 'Keys heard in the audio: counted, never stored.' }),
})

/** What is heard of a call, while it runs. */
export const Insight = Type.Object(
  {
    at: nullable(
      Type.String({
        format: 'date-time',
        description: 'When the figures were true; null if nobody listens, and only `alerts` is known.',
      }),
    ),
    skipped: Type.Optional(
      Type.Literal(true, {
        description: 'Present if some of the call’s audio was not looked at, for lack of room.',
      }),
    ),
    channels: Type.Array(VoiceFacts),
    silence_ms: nullable(Milliseconds('Milliseconds since somebody spoke.')),
    overtalk_ms: nullable(Milliseconds('Milliseconds in which two spoke at once.')),
    talk_ratio: Type.Array(share('Of all speech.'), {
      description: 'Of each channel; empty before any speech.',
    }),
    quality: nullable(
      Type.Object({
        loss: share('Packets that did not come within 200 ms of their turn.'),
        burst_ratio: Type.Number({ minimum: 1, description: '1: lost by chance; above: in bursts.' }),
        mos: Type.Number({
          minimum: 1,
          maximum: 4.5,
          description: 'Estimate of ITU-T G.107 from the loss alone, with the values of G.711.',
        }),
        basis: Type.Literal('packets as received here'),
      }),
    ),
    alerts: Type.Array(Alert, {
      maxItems: limits.alertsKeptMax,
      description: `Oldest first; the first ${limits.alertsKeptMax}.`,
    }),
  },
  { $id: 'Insight' },
)
export type Insight = Static<typeof Insight>

/** The alert of a row: of those that are open the worst that nobody has acknowledged, else the worst. */
export const WorstAlert = Type.Object({
  alert_id: Type.String(),
  kind: AlertKindText,
  severity: AlertSeverityText,
  channel: nullable(Type.Integer({ minimum: 0 })),
  since: Time,
  acknowledged_by: nullable(Type.String()),
  acknowledged_at: nullable(Time),
})
export type WorstAlert = Static<typeof WorstAlert>

export const Acknowledgement = Type.Object(
  {
    note: Type.Optional(
      Type.String({
        maxLength: limits.alertNoteCharactersMax,
        pattern: '^[^\\u0000-\\u001f\\u007f]*$',
        description: 'What was done about it.',
      }),
    ),
  },
  { $id: 'Acknowledgement' },
)
export type Acknowledgement = Static<typeof Acknowledgement>
