/**
 * Every bound of the service in one place, with the reason for its size. A queue that is full answers 503, never
 * grows, and never drops what was acknowledged (V7).
 */
import assert from 'node:assert/strict'

const kib = 1024
const mib = 1024 * kib

export const limits = {
  /** The sequence of a packet is a plain counter that fits 31 bits, as the contract says. */
  sequenceMax: 2 ** 31 - 1,
  totalPacketsMax: 2 ** 31,
  /** Two directions of a conversation, or the voices of a small conference. Three bits of a packet's record. */
  tracksMax: 8,
  /** Open sockets of media streams, and what their upgrades may ask for in a second from one address. */
  mediaSocketsMax: 10_000,
  mediaUpgradesPerSecond: 256,
  /** Those for which nobody has vouched yet, in all and from one address: a platform sends its start, with a token, at once. */
  mediaUnknownMax: 1000,
  mediaUnknownPerAddressMax: 250,
  /** A stream says what it is within so long of its upgrade. */
  mediaStartMs: 10_000,
  /** After the end of a stream its socket is closed. */
  mediaCloseMs: 5000,
  /** uWebSockets.js ends a socket on which nothing came for so long, in seconds: a call on hold may send nothing for minutes. */
  mediaIdleSeconds: 960,
  /** Of the native protocol: what a gateway may have under way, its streams on one socket, and a message. */
  nativeUnsettledBytesMax: mib,
  nativeSlowMs: 200,
  nativeStreamsMax: 1024,
  nativeMessageBytesMax: 64 * kib,
  /** Of one Asterisk: phones that are listened to, requests without an answer, and how often and when one is tried again. */
  ariChannelsMax: 4096,
  ariRequestsMax: 4096,
  ariAnswerMs: 10_000,
  ariTriesMax: 5,
  ariRetryMs: 2000,
  ariRetryMsMax: 30_000,
  /** A phone whose audio came for so long counts as tapped, not as a failed try. */
  ariSteadyMs: 10_000,
  ariMessageBytesMax: 256 * kib,
  /** Packets of a leg (or two of its longest messages), or of all legs, that the journal has not settled. Beyond it they are dropped as recorded gaps. */
  legUnsettledBytesMax: 256 * kib,
  mediaUnsettledBytesMax: 64 * mib,
  legUnsettledMsMax: 10_000,
  legRetryMs: 100,
  /** Fifty a second is usual for each direction. */
  legPacketsPerSecond: 500,
  legPacketsBurst: 2000,
  legShedNoteMs: 1000,
  /** After a stream that its platform has ended, another one of the call may come for so long. */
  legStoppedGraceMs: 2000,
  /** Media streams of one call in its life, and what happens on them beside packets: kept in its row. */
  legsMax: 64,
  notesMax: 256,
  /** Alerts of a call's sound: open at once, and how soon one of a kind may come again for the same voice. */
  alertsOpenMax: 32,
  alertEveryMs: 30_000,
  /** In its life: they are kept in its row. */
  alertsKeptMax: 256,
  alertNoteCharactersMax: 500,
  /** Packets on their way to the thread that listens: 1,000 calls of two voices for a second and more. A power of two. */
  insightRingBytes: 16 * mib,
  /** So often it is told that there is more. */
  insightShowMs: 20,
  /** Questions to it that are under way, and how long one waits. */
  insightAsksMax: 256,
  insightAnswerMs: 500,
  /** It died: another one is not started before. */
  insightRestMs: 60_000,
  /** It was called and did not come: it is ended. */
  insightHangMs: 10_000,
  callIdCharactersMax: 255,
  dataBytesMax: 32 * kib,
  /** Packets of one block, which is one record and one append: 40 s of 20 ms. */
  blockPacketsMax: 2048,
  blockBytesMax: 64 * kib,
  bodyBytesMax: 64 * kib,
  bulkBodyBytesMax: 4 * mib,
  /** Of a body that is too large, so much is read and thrown away before its sender is cut off. */
  discardedBytesMax: 16 * mib,
  bulkLinesListedMax: 1000,
  /** Bodies of bulk requests that are not worked off yet. */
  bulkQueueBytesMax: 64 * mib,
  jsonDepthMax: 16,

  /** A receipt lists this many missing numbers; `missing_count` stays exact. */
  missingListedMax: 100,
  gapRangesListedMax: 100,
  gapRangesPageMax: 1000,
  callsPageMax: 200,
  /** Of a list as a table, which is one answer. */
  tableRowsMax: 10_000,
  tableBytesMax: 4 * mib,
  packetsPageMax: 1000,
  /** A page of packets or calls ends early here, so that one answer never holds the loop for long. */
  pageBytesMax: 2 * mib,

  /** Every request is compared with each token. */
  credentialsMax: 64,
  tokenCharactersMax: 256,
  /** Credentials and addresses that are counted, for each limit; the ones not seen for longest are forgotten. */
  rateLimitKeysMax: 10_000,
  /** Open tickets, over all supervisors; full means 429. */
  ticketsMax: 10_000,
  ticketMs: 30_000,

  /** Lines of the log that nobody has read yet. Beyond them lines are dropped and counted; those before an exit have room. */
  logQueueBytesMax: mib,
  logFatalBytesMax: 64 * kib,
  /** Lines of one kind, which is their message. Those beyond are counted in a line of their own. */
  logLinesPerSecond: 10,
  logLinesBurst: 100,
  logCountMs: 1000,
  logFullRetryMs: 50,
  logFailedRetryMs: 1000,
  /** An exit waits so long for the log. */
  logDrainMsMax: 250,

  /** Of caller, callee, agent and queue. */
  detailCharactersMax: 128,
  metadataMax: 32,
  metadataCharactersMax: 256,

  /** Of a search in transcripts. A shorter prefix would gather a good part of all words, each time anew. */
  searchCharactersMax: 256,
  searchTermsMax: 16,
  searchPrefixCharactersMin: 3,
  /**
   * Of a transcript so much can be searched, more than four hours of speech: the writer indexes it within a commit, and 1 MiB
   * of words held all packets for 200 ms. The view `transcripts` cuts it.
   */
  indexedCharactersMax: 256 * kib,
  detailFiltersMax: 8,
  /**
   * A page of calls ends early when so many were looked at, each look of a filter counted: of two filters that seldom meet, one may have
   * millions.
   */
  callsLookedAtMax: 5000,
  /** The calls of texts that begin as asked for are sorted, if they are no more. */
  callsGatheredMax: 5000,
  /** The rarest filter leads; of those with more calls than this nobody knows which is rarer. */
  callsCountedMax: 20_000,
  /** Different names of agents or queues; among more a beginning is looked for call by call. */
  namesLookedAtMax: 2000,
  /** Different texts that begin as asked for, whose calls are gone through side by side. */
  textsMergedMax: 64,
  /** A clock that was set back by no more than this takes no call out of a range of time. */
  clockStepMsMax: 5 * 60_000,

  requestsInFlightMax: 8192,
  /** So many more reads, so that the service can say that it is overloaded. */
  readsReservedMax: 1024,
  /**
   * A burst of so many is always taken. Beyond it packets are refused while the oldest has waited for its commit this
   * long, or for this many commits on a slow disk: a queue that stands only makes everybody late (RFC 8289 §3).
   */
  burstRequestsMax: 512,
  standingMsMax: 25,
  standingCommitsMax: 4,
  /** A body must be whole within this time of its headers; uWebSockets.js only bounds the silence between bytes. */
  bodyMsMax: 10_000,
  /** A request for which nothing was done for so long gets 503: the disk is stuck, and the PBX must know. */
  answerMsMax: 1500,
  overdueLookMs: 250,
  /** How often the files of the database are looked for under their names; what is committed meanwhile may be lost. */
  filesLookMs: 500,

  /** The open batch of the journal: what arrives while the writer is busy. Full means 503. */
  journalQueueEntriesMax: 65_536,
  journalQueueBytesMax: 16 * mib,
  /**
   * Bulk requests fill the open batch only so far, because single packets wait behind them; on a slow disk further,
   * where its commits take longer than what is in them.
   */
  bulkQueueEntriesMin: 2048,
  bulkQueueEntriesPerCommitMs: 100,
  /** So many appends are committed without waiting for what else comes. */
  eagerCommitEntries: 64,
  /** When the last commit had so many appends, the next one gathers for so long. */
  groupCommitEntries: 6,
  groupCommitMs: 1,
  /** For so long a commit gathers appends for which nobody waits. */
  patientCommitMs: 8,
  /** Packets of one call that are pending in the journal before they are folded into a run. */
  runPackets: 64,
  /** Runs are folded so many bytes at a time, because each commit that folds dirties the same few pages. */
  foldBytesMin: 128 * kib,
  /** A run is one row; several of the largest packets still fit in it. */
  runBytesMax: 256 * kib,
  /** The journal's tail is held in memory by the writer; past this the oldest batches are folded whatever their runs hold. */
  tailBytesMax: 64 * mib,
  /**
   * The write-ahead log is checkpointed after this many pages (4 KiB each): 52 MiB, so that with what is written
   * meanwhile it stays below the 64 MiB to which SQLite would cut it, and to cut a file holds a commit.
   */
  checkpointPages: 13_312,
  /** The checkpoint thread starts when it is first needed, or after this time. */
  checkpointerStartMs: 10_000,
  readsInFlightMax: 4096,
  /** The filter of calls' names, a power of two: with two million calls a new one in 500 is looked for all the same, with ten million one in four. */
  callNamesBytes: 4 * mib,
  /** Of the log that several machines share: the engine's own bounds on a message allow this, and what names it. */
  logMessageBytesMax: 16 * mib,
  logHeaderBytesMax: 64 * kib,
  /** Messages that are on their way to the log. Nodes send one at a time; beyond it an append is told that its outcome is unknown. */
  logUnsettledBytesMax: 64 * mib,
  /** Of what the log delivers, so much may wait for its taker when more is asked for: a message of the largest kind, at most. */
  logUntakenBytesMax: mib,
  /** Damaged rows that were told: each is told once. */
  damagesKnownMax: 10_000,
  /** Reads of people that the reader has at a time: those whose asker has gone are dropped before they come to it. */
  looksAtOnce: 4,
  /** A disk that was full is looked at so often; with so much free it takes commits again. */
  fullDiskLookMs: 1000,
  fullDiskBytesMin: mib,
  /** Pages of packets that are on their way between the threads, by their bytes; the others wait. */
  packetReadBytesMax: 16 * mib,
  /** Recordings that are read at once, and those whose measure is kept (some 50 KiB for an hour). */
  recordingsReadMax: 64,
  recordingsKeptMax: 64,
  /**
   * Of live calls that wait to be heard, over all listeners: 32 MiB, or 250 listeners of a call with two voices at 8 kHz, 2 s behind. They
   * take some 2 % of the main thread.
   */
  liveSamplesMax: 16_000_000,
  /** A listener that takes nothing for so long is cut off. */
  listenerUntakenMsMax: 10_000,
  /** A listener reads so many at a time of each voice: 4 s of packets of 20 ms. */
  livePacketsMax: 200,

  activeCallsMax: 250_000,
  /** Messages that wait for an activation, over all calls. */
  activationQueueMax: 65_536,
  activationsMax: 2048,
  passivateAfterMs: 60_000,
  /** Names of calls that left the memory, twice: more than leave it while a page of calls is read and looked at. */
  departuresKept: 16_384,
  sweepMs: 1000,
  sweepCalls: 5000,
  /** A call's state is written this often even when nothing but packets happens, so that its replay stays short. */
  snapshotPackets: 1024,

  deadlineHorizonMs: 30_000,
  deadlinePageCalls: 4096,
  deadlineRetryMs: 1000,
  /** Deadlines under way at once: waking a million calls must not keep new calls from being activated. */
  deadlineDeliveriesMax: 256,

  /** Calls that are erased by their age, at a time; after a pause the next ones, and otherwise a look now and then. */
  retentionPageCalls: 64,
  retentionPauseMs: 1000,
  retentionLookMs: 600_000,

  analysesMax: 8192,
  analysisRetryMs: 1000,
  /** A provider that is down is asked at least so often: calls wait so long at most after it has come back. */
  probeMsMax: 60_000,
  /** A server may ask for any wait; one that asks for hours is asked again all the same. */
  retryAfterMsMax: 60_000,
  transcriptionCharactersMax: mib,
  /** After such a pause, or so many characters, what somebody says is another turn. */
  turnPauseSeconds: 2,
  turnCharactersMax: 500,
  /** Of what was said, so much is in lists, views and events. */
  digestCharactersMax: 4096,
  /**
   * Of reads, from before each begins until its answer is taken: a transcript has up to some 10 MiB. While others wait for room,
   * an asker is cut off that takes nothing for so long, or less than 64 KiB/s.
   */
  untakenBytesMax: 64 * mib,
  untakenMsMax: 1000,
  takenBytesPerMsMin: 64,
  /** Of an answer other than a page, about. */
  shortAnswerBytesMax: 64 * kib,
  /** Of a long answer so much is handed to its socket in one go. */
  answerPartBytes: 256 * kib,
  /** Of a transcript, and of what a provider says about its turns. */
  transcriptSegmentsMax: 20_000,
  /** An answer of a provider; a transcript of five minutes is some 10 KiB with all its numbers. */
  providerAnswerBytesMax: mib,
  /** Near this a call's audio is cut into pieces for transcription, where it is quiet within the slack. */
  pieceSlackMs: 30_000,
  /** A piece that the server finds too large is halved, but not below this. */
  pieceMsMin: 15_000,
  /** Of a transcript that a chat model is given: some 15,000 tokens, which leaves room in a context of 32,000. */
  chatCharactersMax: 60_000,
  /** A model that takes less than the above is shown half of it, and so on down to about this. */
  chatCharactersMin: 8000,
  chatTokensMax: 8192,
  repairCharactersMax: 8192,
  /** Of what one step of an analysis keeps: an answer of `providerAnswerBytesMax`, with names for all its numbers. */
  checkpointCharactersMax: 4 * mib,
  findingsListedMax: 10,
  findingCharactersMax: 200,
  summaryCharactersMax: 2000,
  /** Requests of one analysis that its ledger lists. */
  ledgerRequestsMax: 1000,

  duplicateChecksMax: 256,
  /** Packets for stored numbers of calls whose grace period is over: each waits for a read of what is stored. */
  lateComparisonsMax: 128,

  supervisorsMax: 10_000,
  /**
   * Events that are held, a power of two: the 65,536 that a supervisor can resume from, and as many again, so that the
   * largest commit finds room before a supervisor that keeps up is written to. By weight, too: a packet's event weighs
   * 256 and 8 for each listed number, so as many of the wordiest fit; any other one 256 and its text.
   */
  feedSlots: 131_072,
  feedBytesMax: 96 * mib,
  /**
   * Texts of events that are kept for the next reader: four turns of one, because those that keep up are in the same.
   * What is kept is copied by the garbage collector; 8192 cost each event 0.2 µs more. None longer than so many characters.
   */
  feedTextsKept: 2048,
  feedTextCharactersMax: 2 * kib,
  /** So long after an erasure the feed is swept of erased calls: a walk over all of it for each of them would hold the loop. */
  feedSweepMs: 250,
  feedForgottenMax: 4096,
  /** Events that a filter looks at in one go. */
  feedScanMax: 4096,
  /** Supervisors are written to for so long, and then everything else gets as much time. */
  fanOutMsMax: 4,
  /** Messages to one supervisor before it is another one's turn. */
  supervisorMessagesPerTurn: 512,
  /** A socket that takes nothing may fall behind by so much more than it was, for so long. */
  supervisorLagBytesMax: 4 * mib,
  supervisorLagMsMax: 2000,
  supervisorLookMs: 1000,
  supervisorHeartbeatMs: 5000,
  supervisorInboundBytesMax: 4 * kib,
  supervisorMessagesPerSecond: 10,
  /** Call ids in one filter. */
  supervisorFilterCallsMax: 100,

  /** A part of a snapshot: rows, and about so many bytes. */
  snapshotRowsMax: 500,
  snapshotPartBytesMax: 256 * kib,
  /** A supervisor with so many bytes of a snapshot unsent is left behind by its scan. */
  snapshotLagBytesMax: mib,
  /** Texts of parts that wait for those who were left behind; beyond it they are read again. Their rows are as much again. */
  snapshotHeldBytesMax: 32 * mib,
  /** Rows of a snapshot that are asked for at a time, and how often one that cannot be had is asked for again. */
  snapshotLooks: 64,
  snapshotTriesMax: 5,
  snapshotRetryMs: 200,
  /** Calls that ended last stay in the picture. */
  endedCallsShownMax: 200,

  /** The progress of a media stream is sent so often. */
  mediaProgressMs: 500,

  floorTickMs: 250,
  /** Without a change the totals are told this often. */
  floorQuietMs: 1000,
  /** Calls that are looked at in a tick; the others wait for the next one. */
  floorLooksPerTick: 5000,
  floorLooksPerTurn: 250,
  /** Ticks that are held for floor views that skip some, and their bytes. */
  floorTicksHeld: 40,
  floorBytesHeld: 16 * mib,
  floorHistoryBuckets: 360,
  floorBucketMs: 10_000,
  floorRateSeconds: 5,

  drainMsMax: 8000,
  /** Past this a stop is as good as a crash: the journal is replayed either way. */
  stopMsMax: 9500,
} as const

assert(limits.bulkBodyBytesMax <= limits.journalQueueBytesMax / 2, 'a bulk request must fit the open batch')
assert(limits.dataBytesMax < limits.bodyBytesMax, 'the largest data must fit a body')
assert(limits.dataBytesMax <= limits.runBytesMax, 'the largest packet must fit a run')
assert(limits.pageBytesMax <= limits.packetReadBytesMax, 'a page of packets must come to its turn')
assert(limits.untakenMsMax < limits.answerMsMax, 'who waits for room outlasts who takes nothing')
assert(limits.runPackets <= limits.packetsPageMax, 'a page must hold at least one run')
assert(
  limits.requestsInFlightMax <= limits.journalQueueEntriesMax,
  'every request in flight must fit the open batch',
)
assert(limits.logDrainMsMax < limits.logFailedRetryMs, 'an exit does not wait for a log that fails')
assert(limits.snapshotLagBytesMax < limits.supervisorLagBytesMax, 'nobody is closed for a snapshot alone')
assert(limits.drainMsMax < limits.stopMsMax, 'the drain leaves time to close the store')
assert(
  limits.feedSlots >= 2 * limits.journalQueueEntriesMax,
  'the events of the largest commit must fit beside those that can be resumed from',
)
assert(limits.tailBytesMax > limits.journalQueueBytesMax, 'the tail must hold at least one batch')
assert(
  limits.feedTextsKept >= limits.supervisorMessagesPerTurn,
  'what one supervisor has read in its turn is there for the next',
)
