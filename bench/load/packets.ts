/** The packets that every load sends: 216 characters of data, sequences of each call in order. */

/** 20 ms of G.711 in base64 are 216 characters. */
export const dataText = 'x'.repeat(216)
const timestamp = 1_700_000_000.02

export const packetBody = (sequence: number): string =>
  `{"sequence":${sequence},"data":"${dataText}","timestamp":${timestamp}}`

export const packetLine = (callId: string, sequence: number): string =>
  `{"call_id":"${callId}","sequence":${sequence},"data":"${dataText}","timestamp":${timestamp}}\n`

/** A set of calls that one load plays in turn. */
export interface CallSet {
  /** Of the call ids, so that each load has calls of its own. */
  readonly prefix: string
  readonly calls: number
  /**
   * Call i gets `i mod warmPackets + 1` packets before the load. The calls are then at every stage between two folds of
   * their packets, as calls that began at different times are; calls in step would all be folded at once. 0 for calls that
   * begin with the load.
   */
  readonly warmPackets: number
}

export const callIdOf = ({ prefix }: CallSet, call: number): string => `${prefix}-${call}`
/** The sequence that call `call` goes on with after the warm-up. */
export const firstSequence = ({ warmPackets }: CallSet, call: number): number =>
  warmPackets === 0 ? 0 : (call % warmPackets) + 1

/** The warm-up, dealt to lanes by call, so that each call's packets stay in order. */
export function* warmLines(set: CallSet, lane: number, lanes: number): Generator<string> {
  for (let sequence = 0; sequence < set.warmPackets; sequence++)
    for (let call = lane; call < set.calls; call += lanes)
      if (sequence < firstSequence(set, call)) yield packetLine(callIdOf(set, call), sequence)
}

/** Packets `from` to `through` of every call of the lane, interleaved; `skips` leaves out that every so many. */
export function* rangeLines(
  prefix: string,
  calls: { readonly lane: number; readonly lanes: number; readonly count: number },
  range: { readonly from: number; readonly through: number; readonly skips?: number | undefined },
): Generator<string> {
  const { lane, lanes, count } = calls
  for (let sequence = range.from; sequence <= range.through; sequence++) {
    if (range.skips !== undefined && sequence % range.skips === range.skips - 1) continue
    for (let call = lane; call < count; call += lanes) yield packetLine(`${prefix}-${call}`, sequence)
  }
}

/** What comes after the warm-up, without an end. */
export function* endlessLines(set: CallSet, lane: number, lanes: number): Generator<string> {
  for (let turn = 0; ; turn++)
    for (let call = lane; call < set.calls; call += lanes)
      yield packetLine(callIdOf(set, call), firstSequence(set, call) + turn)
}
