import {
  checkAll,
  LWW_CHECKERS,
  ofEachSibling,
  SIBLINGS_CHECKERS,
} from "../../src/checker/check-all.ts";
import { expiry } from "../../src/checker/expiry.ts";
import type {
  Checker,
  Finding,
  History,
  Operation,
  ReplicaState,
} from "../../src/checker/history.ts";
import type { Sometimes } from "../../src/checker/sometimes.ts";
import { DEFAULT_BUCKET } from "../../src/core/bucket.ts";
import { hex, utf8 } from "../../src/core/bytes.ts";
import { KvError } from "../../src/core/errors.ts";
import { parseKey } from "../../src/core/ids.ts";
import { partitionOfRecordKey, recordKey } from "../../src/core/record-key.ts";
import type { RecordKey } from "../../src/core/record-key.ts";
import { decodeRecord } from "../../src/core/version/record.ts";
import { identityOf, seenSibling } from "./attempt.ts";
import { checkWhole } from "./liveness.ts";
import type { Machine } from "./machine.ts";
import { DISK_BYTES, Nemesis } from "./nemesis.ts";
import { isGuarded } from "./scenario.ts";
import type { Scenario } from "./scenario.ts";
import { countSiblings } from "./siblings-states.ts";
import { Trace } from "./trace.ts";
import { Workload } from "./workload.ts";
import { World } from "./world.ts";

/** Bounds in virtual time: a run that needs more is stuck. */
const RUN_MS_MAX = 600_000;
const HEAL_MS_MAX = 60_000;
/** Longer than a silent peer is put up with and a request may take. */
const SETTLE_MS = 4_000;

export interface Run {
  readonly scenario: Scenario;
  readonly findings: readonly Finding[];
  readonly history: History;
  readonly sometimes: Sometimes;
  readonly traceHash: string;
  readonly events: number;
  readonly virtualMs: number;
}

/**
 * One run: safety under faults, then everything is mended and the cluster must come back by itself,
 * then every key is read through every node and all replicas are compared.
 */
export async function simulate(
  scenario: Scenario,
  { write }: { write?: (line: string) => void } = {},
): Promise<Run> {
  const trace = new Trace(write);
  const world = new World(scenario, { trace });
  const { time, machines, sometimes } = world;
  for (const machine of machines) machine.start();
  await time.runUntil(() => isWhole(world), { withinMs: HEAL_MS_MAX });
  const nemesis = new Nemesis(world);
  const workload = new Workload(world);
  await time.runUntil(() => workload.isDone, { withinMs: RUN_MS_MAX });
  if (world.bugs.length > 0) throw new Error("an operation met a bug", { cause: world.bugs[0] });
  nemesis.end();
  await heal(world);
  await repairRotten(world);
  await checkWhole(world, keysOf(scenario));
  const replicas = await readEverywhere(world);
  for (const machine of machines) countStates(machine, world);
  countOutcomes(world.operations, sometimes);
  if (scenario.siblings !== undefined) countSiblings(world, replicas);
  const history: History = { operations: world.operations, replicas };
  return {
    scenario,
    history,
    findings: [...checkAll(history, checkersOf(world)), world.liveness.finding()],
    sometimes,
    traceHash: trace.hash,
    events: trace.events,
    virtualMs: time.now(),
  };
}

function checkersOf({ scenario, machines }: World): readonly Checker[] {
  const expires = expiry(machines.map((it) => it.wallOffsets));
  return scenario.siblings === undefined
    ? [...LWW_CHECKERS, expires]
    : [...SIBLINGS_CHECKERS, ofEachSibling(expires)];
}

function isWhole({ machines }: World): boolean {
  return machines.every(
    (machine) =>
      machine.isReady &&
      machine.isWhole &&
      machine.clockProblem === undefined &&
      machines.every((peer) => peer === machine || machine.sees(peer.id)),
  );
}

async function heal(world: World): Promise<void> {
  world.endFaults();
  for (const a of world.machines) {
    a.resume();
    a.disk.fail("batch", { times: 0 });
    a.disk.capacityBytes = DISK_BYTES;
    if (isGuarded(world.scenario)) a.wallOffsetMs = 0;
    a.start();
    for (const b of world.machines) {
      if (a === b) continue;
      world.network.setFate(a.id, b.id, undefined);
      world.network.heal(a.id, b.id);
    }
  }
  // Connections over which a message was lost before the end are given up only now.
  await world.time.advance(SETTLE_MS);
  await world.time.runUntil(() => isWhole(world), { withinMs: HEAL_MS_MAX });
}

/** Reads each key at r=n through every node, so that all replicas have been merged, and dumps them. */
async function readEverywhere(world: World): Promise<readonly ReplicaState[]> {
  const { time, machines, scenario, liveness } = world;
  const keys = keysOf(scenario);
  for (const key of keys) {
    for (const { id, operations } of machines) {
      if (operations === undefined) throw new Error("a healed machine takes requests");
      const request = {
        bucket: DEFAULT_BUCKET,
        key: parseKey(utf8(key)),
        r: scenario.n,
        timeoutMs: undefined,
      };
      liveness.examine();
      await time.settled(
        operations.read(request).catch((error: unknown) => {
          if (!(error instanceof KvError)) throw error;
          liveness.violation(
            key,
            [],
            () => `A get at R=N through ${id} fails although nothing is broken: ${error.message}.`,
          );
        }),
        { withinMs: HEAL_MS_MAX },
      );
    }
  }
  // A write-back answers before its slowest replica: what is under way arrives.
  await time.advance(1_000);
  return machines.map((machine) => dump(machine, keys, world));
}

type RecordState = ReplicaState["records"] extends ReadonlyMap<string, infer R> ? R : never;

/** A replica that holds nothing where others hold something differs from them. */
const ABSENT: RecordState = { version: "", stamp: 0, tombstone: false, digest: "absent" };

/** What the machine's disk holds of the keys that it is a replica of. */
function dump(machine: Machine, keys: readonly string[], world: World): ReplicaState {
  const { document, machines, scenario } = world;
  const records = new Map<string, RecordState>();
  for (const key of keys) {
    const address = recordKey(DEFAULT_BUCKET, parseKey(utf8(key)));
    const list = document.layout.preferenceList(partitionOfRecordKey(address), scenario.n);
    if (!list.includes(machine.id)) continue;
    if (machines.every(({ disk }) => disk.get(address) === undefined)) continue;
    records.set(key, recordState(machine, address));
  }
  return { node: machine.id, records };
}

function recordState(machine: Machine, address: RecordKey): RecordState {
  const bytes = machine.disk.get(address);
  if (bytes === undefined) return ABSENT;
  const record = decodeRecord(address, bytes);
  if (record.kind === "damaged") throw new Error(`${machine.id} holds a damaged record`);
  if (record.mode === "siblings") {
    const siblings = record.versions.map((version) => seenSibling({ version, expired: false }));
    const version = siblings.map(({ dot }) => dot).join();
    return { version, stamp: record.stamp, tombstone: false, digest: hex(record.bytes), siblings };
  }
  const { version } = record;
  return {
    version: identityOf(version) ?? "",
    stamp: version.stamp,
    tombstone: version.content === undefined,
    digest: hex(record.bytes),
  };
}

/**
 * A damaged record is repaired by its own node, once that has met it: after a restart, which forgets
 * what the node remembers of its disk, and a read.
 */
async function repairRotten(world: World): Promise<void> {
  const damaged = damagedKeys(world);
  if (damaged.size === 0) return;
  for (const machine of world.machines) {
    machine.kill();
    machine.start();
  }
  await world.time.runUntil(() => isWhole(world), { withinMs: HEAL_MS_MAX });
  for (const key of damaged) {
    for (const { operations } of world.machines) {
      const request = { bucket: DEFAULT_BUCKET, key: parseKey(utf8(key)), r: 1, timeoutMs: 1_000 };
      await world.time.settled(operations?.read(request).catch(() => {}) ?? Promise.resolve());
    }
  }
  await world.time.runUntil(() => damagedKeys(world).size === 0, { withinMs: HEAL_MS_MAX });
}

function keysOf({ keys }: Scenario): readonly string[] {
  return Array.from({ length: keys }, (_, i) => `key-${i}`);
}

function damagedKeys({ machines, scenario }: World): ReadonlySet<string> {
  const damaged = new Set<string>();
  for (let i = 0; i < scenario.keys; i++) {
    const key = `key-${i}`;
    const address = recordKey(DEFAULT_BUCKET, parseKey(utf8(key)));
    for (const { disk } of machines) {
      const bytes = disk.get(address);
      if (bytes !== undefined && decodeRecord(address, bytes).kind === "damaged") damaged.add(key);
    }
  }
  return damaged;
}

function countOutcomes(operations: readonly Operation[], sometimes: Sometimes): void {
  const acknowledged = new Set<string>();
  for (const { kind, outcome, version } of operations) {
    if (outcome === "not-applied") sometimes.note("a quorum was refused");
    if (kind === "get" || version === undefined) continue;
    if (outcome === "unknown") sometimes.note("a write's outcome was unknown");
    if (outcome === "ok") acknowledged.add(version);
  }
  for (const { kind, outcome, version, causality } of operations) {
    if (kind !== "get" || outcome !== "ok") continue;
    const seen = causality?.siblings.map((it) => it.version) ?? [version];
    if (seen.some((it) => it !== undefined && !acknowledged.has(it))) {
      sometimes.note("a read saw a write that was never acknowledged");
    }
  }
}

function countStates(
  { telemetry, incidents, lives }: Machine,
  { machines, sometimes }: World,
): void {
  sometimes.note("a node restarted", lives - 1);
  sometimes.note("a node ended itself", incidents.length);
  for (const { id } of machines) {
    sometimes.note("a read found a stale replica", telemetry.count("staleReplies", id));
  }
  for (const end of ["met", "unreachable", "deadline"]) {
    sometimes.note(`read repair ${end}`, telemetry.count("readRepairs", end));
  }
  for (const { level, message } of telemetry.lines) {
    if (level === "error") sometimes.note(`log error: ${message}`);
  }
  sometimes.note("a write was recognised", telemetry.count("knownWrites"));
  sometimes.note("a damaged record was repaired", telemetry.count("recordRepairs", "repaired"));
  for (const result of ["won", "wasted"]) {
    sometimes.note("a hedge was asked", telemetry.count("hedges", result));
  }
  for (const { id } of machines) {
    sometimes.note("a peer was suspect", telemetry.count("suspicions", id));
  }
  for (const { message } of telemetry.lines) {
    if (message === "the directory is whole again") sometimes.note("a node was whole again");
    if (message.startsWith("the disk is ")) sometimes.note("a disk was full");
  }
  for (const op of ["read", "learn"]) {
    sometimes.note("a spare replica was asked", telemetry.count("spareRequests", op));
  }
}
