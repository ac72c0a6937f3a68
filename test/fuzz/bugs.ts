/** Bugs that the fuzz must find, put into a copy of `dist/` one at a time: a fuzz that finds none shows nothing. */
import type { Edit } from '../torture/patched-build.js'
import { patchedBuild } from '../torture/patched-build.js'
import { Stage } from '../torture/stage.js'
import type { Area } from './input.js'
import { runFuzz } from './run.js'

export interface FuzzBug {
  readonly name: string
  readonly area: Area
  readonly edit: Edit
  readonly finding: RegExp
}

export const fuzzBugs: readonly FuzzBug[] = [
  {
    name: 'a malformed percent-encoding is not expected',
    area: 'http',
    edit: {
      file: 'protocol/call-id.js',
      find: "throw new VoiceStreamError('invalid_call_id', `",
      replace: 'throw cause; void String(`',
    },
    finding: /server error/,
  },
  {
    name: 'the first of two lengths is taken',
    area: 'http',
    edit: {
      file: 'http/request-body.js',
      find: 'if (contentLengths > 1)',
      replace: 'if (contentLengths > 9)',
    },
    finding: /accepted:|state:/,
  },
  {
    name: 'of two equal keys the last one wins',
    area: 'json',
    edit: {
      file: 'protocol/json-members.js',
      find: 'if (members.has(key))',
      replace: 'if (members.has(key) && key.length > 99)',
    },
    finding: /accepted:|lines:|state:/,
  },
  {
    name: 'a range of the last 0 bytes is not expected',
    area: 'http',
    edit: {
      file: 'http/routes/byte-range.js',
      find: "return length === 0 ? 'unsatisfiable' :",
      replace: 'return length === 0 ? undefined.first :',
    },
    finding: /server error/,
  },
  {
    name: 'a part of a recording ends a byte too late',
    area: 'http',
    edit: {
      file: 'http/routes/byte-range.js',
      find: 'Math.min(Number(to), bytes - 1)',
      replace: 'Math.min(Number(to) + (first > 0 ? 1 : 0), bytes - 1)',
    },
    finding: /read:/,
  },
  {
    name: 'a call may have a label more than is allowed',
    area: 'json',
    edit: {
      file: 'protocol/media.js',
      find: 'maxProperties: limits.metadataMax',
      replace: 'maxProperties: limits.metadataMax + 1',
    },
    finding: /accepted:/,
  },
  {
    name: 'what is said of a call is answered and forgotten',
    area: 'json',
    edit: {
      file: 'actors/call-decisions.js',
      find: 'if (describedAt !== null &&',
      replace: 'if (body.direction !== undefined ||',
    },
    finding: /state:/,
  },
  {
    name: 'a long ping ends the process',
    area: 'ws',
    edit: {
      file: 'http/sockets/supervisor-socket.js',
      find: 'open: (socket) => this.#open(socket),',
      replace:
        'open: (socket) => this.#open(socket), ping: (_, message) => { if (message.byteLength > 120) process.abort(); },',
    },
    finding: /dead:/,
  },
  {
    name: 'a token is compared by how it begins',
    area: 'auth',
    edit: {
      file: 'http/gate/access.js',
      find: 'authorization.slice(prefix[0].length)',
      replace: 'authorization.slice(prefix[0].length, prefix[0].length + 24)',
    },
    finding: /accepted:/,
  },
]

/** Enough for each to be met many times. */
const inputsEach = 3000

export async function tryBugs(seed: number): Promise<number> {
  let missed = 0
  for (const { name, area, edit, finding } of fuzzBugs) {
    const stage = new Stage()
    try {
      process.env['VSTEST_DIST'] = patchedBuild(stage, [edit])
      const plan = { seed, count: inputsEach, areas: [area], firstBlock: 0, isShrinking: false }
      const { findings, inputs } = await runFuzz(plan, () => {})
      const found = findings.find((line) => finding.test(line))
      if (found === undefined) missed++
      console.log(`${found === undefined ? 'MISSED' : 'found '}  ${name} (${area}, ${inputs} inputs)`)
      console.log(`        ${(found ?? findings[0] ?? 'no finding').slice(0, 300)}`)
    } finally {
      delete process.env['VSTEST_DIST']
      await stage.clear()
    }
  }
  console.log(`${fuzzBugs.length - missed} of ${fuzzBugs.length} bugs were found`)
  return missed > 0 ? 1 : 0
}
