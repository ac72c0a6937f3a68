/** Every bound of the simulated PBX, with the reason for it. */
import assert from 'node:assert/strict'

/** What PBXs send: the default packet time of G.711 in RFC 3551, section 4.5.14. */
export const packetMs = 20
/** The service's own bound on `data`, in bytes of UTF-8. */
export const packetDataBytesMax = 32 * 1024
/** Nine hours of 8 kHz mu-law; the file is held in memory, as bytes and again as base64. */
export const fileBytesMax = 256 * 1024 * 1024
/** Calls × packets. A planned packet costs 9 bytes in plan and log, so this is 450 MB. */
export const plannedPacketsMax = 50_000_000
export const callsMax = 20_000
export const connectionsMax = 4_096
/** The service's own bound. */
export const tracksMax = 8
export const speedMax = 10_000
export const callIdCharactersMax = 255
/** The service's own bound of a socket; what is sent faster is shed there, as recorded gaps. */
export const streamPacketsPerSecondMax = 500
/** A page of packets or gaps asked for at once. */
export const pageLimit = 100
/** The service lists at most this many missing numbers in a receipt and this many ranges in a call view. */
export const listedMissingMax = 100
/** The largest answer that is read: a page of packets, each with the largest data, fits. */
export const answerBytesMax = 8 * 1024 * 1024
/** A try that has no answer by then is broken off and sent again. */
export const answerMs = 10_000
/** The service closes a connection after 10 s of silence; closing it earlier here avoids most resets. */
export const idleConnectionMs = 5_000
/** How long the first request may try; a wrong address should be told quickly. */
export const greetingMs = 3_000
/** A packet is held back, or repeated, at most this many packets later. */
export const displacementMax = 5
/** Calls that are asked for, or audited, at once. */
export const auditsAtOnce = 8
export const pollMs = 500
/** The service may hold what came on a socket for 10 s before it gives it up. */
export const settleMs = 15_000
/** A poll that fails is repeated by the next round, so it need not be patient. */
export const pollPatienceMs = 2_000
/** The longest single sleep, so that an interruption is seen soon. */
export const sleepMs = 200
/** Differences kept of one call, and shown in all: a broken service would otherwise fill the screen. */
export const differencesKept = 10
export const differencesShown = 25
export const rowsShown = 20

assert(answerBytesMax >= pageLimit * 2 * packetDataBytesMax)

/** Of what a start may say of packets. */
export const sampleRateMin = 4000
export const sampleRateMax = 192_000
export const channelsMax = 8
