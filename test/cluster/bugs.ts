/** Bugs that a cluster must never have, each an edit of the compiled code, and what the simulation must say of it. */
import type { Edit } from '../torture/patched-build.js'

export interface ClusterBug {
  readonly name: string
  readonly edits: readonly Edit[]
  readonly finding: RegExp
  /** The first seed that is tried, where those that find it are far between. */
  readonly from?: number
}

const cluster = 'src/store/cluster'

export const clusterBugs: readonly ClusterBug[] = [
  {
    name: 'the log stores what its guard should refuse',
    edits: [{ file: 'test/support/memory-log.js', find: 'if (expected !== last)', replace: 'if (false)' }],
    finding: /wrote packet .*, whose owner was/,
  },
  {
    name: 'a claim goes to the subject of who claims',
    edits: [
      {
        file: `${cluster}/member.js`,
        find: 'const subject = subjectOf(from);',
        replace: 'const subject = subjectOf(name);',
      },
      {
        file: `${cluster}/owner-table.js`,
        find: 'if (subject === subjectOf(from))',
        replace: 'if (true)',
      },
    ],
    finding: /wrote packet .*, whose owner was/,
  },
  {
    name: 'packets are acknowledged before the log has acknowledged them',
    edits: [
      {
        file: 'test/cluster/sim-node.js',
        find: 'this.#sent = packets;',
        replace: "this.#sent = packets; for (const { answer } of packets) answer('accepted');",
      },
    ],
    finding: /was acknowledged and is not in the log/,
  },
  {
    name: 'the position is written outside of the transaction',
    edits: [{ file: 'test/cluster/sim-file.js', find: 'this.rows.length = before;', replace: '' }],
    finding: /the file of . has \d+ packets, not the \d+ of the log/,
  },
  {
    name: 'a message that did not come is not missed',
    edits: [
      {
        file: `${cluster}/applier.js`,
        find: 'if (sequence !== this.#position + 1)',
        replace: 'if (false)',
      },
    ],
    finding: /the file of . has/,
  },
  {
    name: 'an exception while applying is swallowed',
    edits: [
      {
        file: `${cluster}/applier.js`,
        find: 'this.#ports.file.apply(messages);',
        replace: 'try { this.#ports.file.apply(messages); } catch {}',
      },
    ],
    finding: /the file of . has/,
  },
  {
    name: 'a grant goes before the open batch',
    edits: [
      {
        file: 'test/cluster/sim-node.js',
        find: 'const packets = this.#open;\n        this.#open = [];',
        replace:
          'const packets = this.member.hasControl ? [] : this.#open; if (packets.length > 0) this.#open = [];',
      },
    ],
    finding: /wrote packet .*, whose owner was/,
  },
  {
    name: 'packets are taken behind a grant',
    edits: [{ file: `${cluster}/member.js`, find: 'this.#granting.add(partition);', replace: '' }],
    finding: /wrote packet .*, whose owner was/,
  },
  {
    name: 'a node that is refused does not wait for what refused it',
    edits: [
      {
        file: `${cluster}/append-path.js`,
        find: 'if (refusedBy > this.#appliedThrough)',
        replace: 'if (false)',
      },
    ],
    finding: /wrote packet .*, whose owner was|twice/,
    from: 250,
  },
  {
    name: 'a message that is refused is sent again behind what refused it',
    edits: [
      {
        file: `${cluster}/append-path.js`,
        find: 'sent.refusedBy = certain.last;',
        replace: 'this.#sent = null; this.#last = certain.last; return this.append(id, body, outcome);',
      },
    ],
    finding: /wrote packet .*, whose owner was|twice/,
  },
  {
    name: 'what stands behind our own message is taken for known',
    edits: [
      {
        file: `${cluster}/append-path.js`,
        find: 'return this.#stored(sent, appliedAt);',
        replace: 'return this.#stored(sent, refusedBy);',
      },
    ],
    finding: /wrote packet .*, whose owner was/,
  },
]
