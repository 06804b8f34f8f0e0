import type { BlindWrites, Mode } from "../../src/core/bucket.ts";
import type { SeededRng } from "../../src/testing/seeded-rng.ts";

/** What can go wrong in a run. Each kind is on or off for a whole run, see {@link drawScenario}. */
const FAULT_KINDS = [
  /** Messages vanish one by one; nobody is told. */
  "loss",
  /** Messages arrive twice. */
  "duplication",
  /** Messages take long now and then, and so overtake each other. */
  "outliers",
  /** Connections between two groups are reset and stay down. */
  "cut",
  /** All that one group says to the other vanishes, in one direction or both. */
  "silence",
  /** One direction between two nodes is slow. */
  "slow-link",
  /** A process dies; its disk loses nothing. */
  "kill",
  /** A machine loses power; its disk loses what was not fsynced. */
  "power",
  /** All machines lose power at once. */
  "power-all",
  /** A process does nothing for a while and then goes on. */
  "pause",
  /** Wall clocks are off by up to a minute. */
  "skew",
  /** Wall clocks jump, back or forth. */
  "jump",
  /** A wall clock runs too fast or too slowly for a while. */
  "drift",
  /** A disk takes long over its fsyncs. */
  "slow-disk",
  /** LevelDB goes on in a new log file. */
  "rotate",
  /** A write of the storage fails; whether it is there after the restart is open. */
  "io-error",
  /** A disk takes no writes until there is space again. */
  "disk-full",
  /** A bit of a stored record flips; always on the same machine, as one disk rots. */
  "bit-rot",
  /** Two machines come up with each other's disks. */
  "swap",
] as const;

/** Drawn from a stream of their own, so that they change nothing else of a scenario. */
const NODE_FAULT_KINDS = [
  /** All that a node sends, gets and syncs takes long. */
  "slow-node",
  /** A machine comes up with an empty disk. */
  "wipe",
  /** A machine comes up with an older copy of its disk. */
  "rollback",
  /** Connections that one side dialled are reset, and dialled anew at once. */
  "reset",
] as const;
export type FaultKind = (typeof FAULT_KINDS | typeof NODE_FAULT_KINDS)[number];

const DAY_MS = 86_400_000;

/** Of a run on a bucket that keeps siblings; shares are of its writes, what is left over repeats the last context. */
export interface SiblingsScenario {
  readonly blindWrites: BlindWrites;
  readonly siblingsMax: number;
  /** Come with the context of a get just before. */
  readonly freshShare: number;
  /** Come without a context. */
  readonly blindShare: number;
  /** Come with a context that was superseded long ago. */
  readonly staleShare: number;
  /** Come with a context of another key, against the rules. */
  readonly foreignShare: number;
}

/** All that a run depends on: the same scenario gives the same run, event by event. */
export interface Scenario {
  readonly seed: string;
  readonly nodes: number;
  readonly n: number;
  readonly r: number;
  readonly w: number;
  readonly keys: number;
  readonly clients: number;
  /** Client operations in all. */
  readonly operations: number;
  /** Longest pause of a client between two operations. */
  readonly thinkMsMax: number;
  readonly faults: readonly FaultKind[];
  /** Mean time between two faults of the schedule. */
  readonly faultEveryMs: number;
  /** Share of operations with r or w below the bucket's: what is promised for them is less. */
  readonly weakShare: number;
  /** Share of writes that do not ask for fsync. */
  readonly asyncShare: number;
  /** Share of deletes among the writes. */
  readonly deleteShare: number;
  /** Of writes whose outcome is unknown, the share that is attempted again. */
  readonly retryShare: number;
  /** Of acknowledged writes, the share that is attempted again, as by a proxy that lost the answer. */
  readonly repeatShare: number;
  /** Share of writes whose id is used again with other content, against the rules. */
  readonly reuseShare: number;
  /** Share of puts whose version expires after a few seconds. */
  readonly ttlShare: number;
  /**
   * By how much a wall clock may be off until its node refuses to coordinate. A day stops nobody, so
   * that what wrong clocks could break is seen; with less the guard is.
   */
  readonly clockOffsetMaxMs: number;
  /** Seldom ones leave the events to the clients. */
  readonly heartbeatEveryMs: number;
  readonly buggify: boolean;
  /** Memory for records used last; a cache hides what happens to the disk. */
  readonly recordCacheBytes: number;
  /** undefined: the bucket keeps one version. */
  readonly siblings?: SiblingsScenario | undefined;
}

/** Of all runs. */
const SIBLINGS_SHARE = 1 / 3;

/** Whether a node whose clock is wrong is to say so within a run. */
export function isGuarded({ clockOffsetMaxMs }: Scenario): boolean {
  return clockOffsetMaxMs < DAY_MS;
}

/**
 * Swarm testing (Groce et al., ISSTA 2012): each seed draws its own subset of faults, because all of
 * them at once mask each other's bugs, and its own sizes, small ones above all.
 *
 * @param mode unless given, drawn as well.
 */
export function drawScenario(seed: string, rng: SeededRng, mode?: Mode): Scenario {
  const pick = <T>(choices: readonly [T, ...T[]]): T =>
    choices[rng.below(choices.length)] ?? choices[0];
  const nodes = pick([3, 3, 3, 4, 5]);
  const n = Math.min(nodes, pick([3, 3, 3, 3, 5]));
  const [r, w] = pick<readonly [number, number]>(
    n === 3
      ? [
          [2, 2],
          [2, 2],
          [2, 2],
          [1, 3],
          [3, 1],
        ]
      : [
          [3, 3],
          [2, 4],
          [Math.ceil((n + 1) / 2), Math.ceil((n + 1) / 2)],
        ],
  );
  const share = 0.15 + 0.5 * rng.fraction();
  const nodeFaults = rng.fork("node faults");
  return {
    seed,
    nodes,
    n,
    r: Math.min(r, n),
    w: Math.min(w, n),
    keys: pick([1, 2, 3, 5, 20]),
    clients: pick([3, 5, 8, 12]),
    operations: pick([400, 800, 1_000, 1_500]),
    thinkMsMax: pick([0, 5, 20, 100]),
    faults: [
      ...FAULT_KINDS.filter(() => rng.fraction() < share),
      ...NODE_FAULT_KINDS.filter(() => nodeFaults.fraction() < share),
    ],
    faultEveryMs: pick([150, 400, 1_000]),
    weakShare: pick([0, 0, 0.1, 0.5]),
    asyncShare: pick([0, 0, 0.2]),
    deleteShare: pick([0, 0.1, 0.3]),
    retryShare: pick([0, 0.5, 0.9]),
    repeatShare: pick([0, 0.1, 0.3]),
    reuseShare: pick([0, 0, 0.1]),
    buggify: rng.fraction() < 0.5,
    recordCacheBytes: pick([0, 2_000, 64 * 1024 * 1024]),
    ttlShare: pick([0, 0.2, 0.5]),
    clockOffsetMaxMs: pick([DAY_MS, DAY_MS, 500]),
    heartbeatEveryMs: pick([200, 1_000]),
    siblings: drawSiblings(rng.fork("siblings"), mode),
  };
}

/** From a stream of its own: what else a seed draws does not depend on the mode. */
function drawSiblings(rng: SeededRng, mode: Mode | undefined): SiblingsScenario | undefined {
  const drawn = rng.fraction() < SIBLINGS_SHARE ? "siblings" : "lww";
  if ((mode ?? drawn) !== "siblings") return undefined;
  const pick = <T>(choices: readonly [T, ...T[]]): T =>
    choices[rng.below(choices.length)] ?? choices[0];
  return {
    blindWrites: pick(["overwrite", "overwrite", "sibling", "refuse"]),
    siblingsMax: pick([2, 4, 32]),
    freshShare: pick([0.3, 0.6, 0.9]),
    blindShare: pick([0, 0.1, 0.3]),
    staleShare: pick([0, 0.05, 0.2]),
    foreignShare: pick([0, 0, 0.02]),
  };
}
