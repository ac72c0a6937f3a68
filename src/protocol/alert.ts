/** The words of alerts: what is wrong with the sound of a call while it runs. */
import Type, { type Static } from 'typebox'
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
