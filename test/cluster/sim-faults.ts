/** What happens to the nodes of a simulation, to their connections and to the log: a moment and a kind from the seed each. */
import type { Random } from '../torture/random.js'
import type { SimCluster } from './simulation.js'

type Fault = (cluster: SimCluster, name: string, random: Random) => void

const soonMs = (random: Random, most: number) => random.integer(100, most)

export const faults: Readonly<Record<string, Fault>> = {
  kill: (cluster, name, random) => cluster.stop(name, soonMs(random, 6000)),
  'power cut': (cluster, name, random) => {
    cluster.stop(name, soonMs(random, 6000))
    cluster.fileOf(name).cutPower()
  },
  pause: (cluster, name, random) => {
    const node = cluster.nodeOf(name)
    node?.pause()
    cluster.after(soonMs(random, 9000), () => node?.resume())
  },
  leave: (cluster, name) => cluster.nodeOf(name)?.member.leave(),
  replace: (cluster, name, random) => {
    // Somebody starts the node again while its first process hangs, which then goes on.
    const old = cluster.nodeOf(name)
    if (old === null) return
    old.pause()
    cluster.setAside(name)
    cluster.after(soonMs(random, 5000), () => old.resume())
  },
  cut: (cluster, name, random) => {
    const log = cluster.nodeOf(name)?.log
    if (log === undefined) return
    log.isCut = true
    cluster.after(soonMs(random, 8000), () => log.mend())
  },
  'log stands still': (cluster, _name, random) => {
    cluster.memory.stall()
    cluster.after(soonMs(random, 7000), () => cluster.memory.resume())
  },
  'log is full': (cluster, _name, random) => {
    cluster.memory.isFull = true
    cluster.after(soonMs(random, 3000), () => {
      cluster.memory.isFull = false
    })
  },
  'lost attempts': (cluster, name, random) => add(cluster, name, 'attemptsToLose', random.integer(1, 3)),
  'forgotten outcomes': (cluster, name, random) =>
    add(cluster, name, 'outcomesToForget', random.integer(1, 3)),
  'busy subject': (cluster, name, random) => add(cluster, name, 'attemptsToRefuse', random.integer(1, 5)),
  'late attempts': (cluster, name, random) => {
    const log = cluster.nodeOf(name)?.log
    if (log === undefined) return
    log.attemptsDelayMs = random.integer(1000, 6000)
    cluster.after(random.integer(20, 1000), () => {
      log.attemptsDelayMs = 0
    })
  },
  'lost delivery': (cluster, name) => add(cluster, name, 'deliveriesToLose', 1),
  'changed delivery': (cluster, name) => add(cluster, name, 'deliveriesToChange', 1),
  'full disk': (cluster, name) => {
    cluster.fileOf(name).isBroken = true
  },
  trim: (cluster, name) => cluster.trim(name),
}

type Counter =
  | 'attemptsToLose'
  | 'outcomesToForget'
  | 'attemptsToRefuse'
  | 'deliveriesToLose'
  | 'deliveriesToChange'

function add(cluster: SimCluster, name: string, counter: Counter, count: number): void {
  const log = cluster.nodeOf(name)?.log
  if (log !== undefined) log[counter] += count
}
