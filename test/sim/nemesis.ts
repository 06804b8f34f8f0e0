import type { NodeId } from "../../src/core/ids.ts";
import { MemoryDisk } from "../../src/testing/memory-storage.ts";
import type { SeededRng } from "../../src/testing/seeded-rng.ts";
import { remembersMore } from "./directory-entries.ts";
import type { Machine } from "./machine.ts";
import { isGuarded } from "./scenario.ts";
import type { FaultKind } from "./scenario.ts";
import type { World } from "./world.ts";

const FAULT_MS_MAX = 3_000;
const SKEW_MS_MAX = 60_000;
/** Where a node whose clock is wrong says so, clocks are usually as wrong as nobody may complain of. */
const GUARDED_SKEW_MS = 199;
/** A clock that gains or loses a fifth, corrected so often. */
const DRIFT_MAX = 0.2;
const DRIFT_TURN_MS = 50;
/** First byte of a record's address on a disk. */
const KIND_RECORD = 0x72;
/** What a full disk may still have room for. */
const DISK_FREE_BYTES_MAX = 2_000;
/** Of a disk with room again. */
export const DISK_BYTES = 2 ** 50;
const SLOW_LINK_MS_MAX = 200;
const SLOW_DISK_MS_MAX = 150;
const SLOW_NODE_MS_MAX = 300;

/** Makes things go wrong, one after the other, each for a while. */
export class Nemesis {
  readonly #world: World;
  readonly #rng: SeededRng;
  #over = false;

  constructor(world: World) {
    this.#world = world;
    this.#rng = world.rng.fork("nemesis");
    if (world.has("skew")) {
      for (const machine of world.machines) machine.wallOffsetMs = this.#usualOffsetMs();
    }
    this.#next();
  }

  /** Ends the schedule; {@link World.endFaults} and mending are the caller's. */
  end(): void {
    this.#over = true;
  }

  #next(): void {
    const { time, scenario } = this.#world;
    time.after(scenario.faultEveryMs * 2 * this.#rng.fraction(), () => {
      if (this.#over) return;
      const kinds = scenario.faults.filter((kind) => kind in ACTIONS);
      const kind = kinds[this.#rng.below(Math.max(1, kinds.length))];
      if (kind !== undefined) this.#strike(kind);
      this.#next();
    });
  }

  #strike(kind: FaultKind): void {
    const { time, trace, sometimes } = this.#world;
    trace.note(time.now(), `fault ${kind}`);
    sometimes.note(`fault ${kind}`);
    ACTIONS[kind]?.({
      world: this.#world,
      rng: this.#rng,
      machine: this.#machine(),
      offsetMs: () => this.#offsetMs(),
      usualOffsetMs: () => this.#usualOffsetMs(),
      later: (action) => time.after(this.#rng.fraction() * FAULT_MS_MAX, action),
    });
  }

  #machine(): Machine {
    const { machines } = this.#world;
    const machine = machines[this.#rng.below(machines.length)];
    if (machine === undefined) throw new Error("a world has machines");
    return machine;
  }

  #offsetMs(): number {
    return Math.round((2 * this.#rng.fraction() - 1) * SKEW_MS_MAX);
  }

  #usualOffsetMs(): number {
    if (!isGuarded(this.#world.scenario)) return this.#offsetMs();
    return this.#rng.fraction() < 0.5 ? -GUARDED_SKEW_MS : GUARDED_SKEW_MS;
  }
}

interface Strike {
  readonly world: World;
  readonly rng: SeededRng;
  readonly machine: Machine;
  readonly offsetMs: () => number;
  /** Of a clock that nothing has happened to, or that was set right again. */
  readonly usualOffsetMs: () => number;
  /** When the fault is over again; mending runs even after the schedule has ended. */
  readonly later: (action: () => void) => void;
}

const ACTIONS: Partial<Record<FaultKind, (strike: Strike) => void>> = {
  cut({ world, rng, later }) {
    const pairs = crossing(world, rng).flatMap(([a, b]) => [[a, b] as const, [b, a] as const]);
    for (const [a, b] of pairs) world.network.cut(a, b);
    later(() => {
      for (const [a, b] of pairs) world.network.heal(a, b);
    });
  },
  silence({ world, rng, later }) {
    const both = rng.fraction() < 0.5;
    const pairs = crossing(world, rng).flatMap(([a, b]) =>
      both ? [[a, b] as const, [b, a] as const] : [[a, b] as const],
    );
    for (const [a, b] of pairs) world.network.setFate(a, b, () => []);
    later(() => {
      for (const [a, b] of pairs) world.network.setFate(a, b, undefined);
    });
  },
  "slow-link"({ world, rng, machine, later }) {
    const other = world.machines[rng.below(world.machines.length)];
    if (other === undefined || other === machine) return;
    const link = `${machine.id} ${other.id}`;
    world.slowLinks.set(link, rng.fraction() * SLOW_LINK_MS_MAX);
    later(() => world.slowLinks.delete(link));
  },
  kill({ world, machine }) {
    if (!machine.isUp) return;
    machine.kill();
    world.restartLater(machine);
  },
  power({ world, rng, machine }) {
    if (machine.isUp) losePower(world, rng, machine);
  },
  "power-all"({ world, rng }) {
    for (const machine of world.machines) if (machine.isUp) losePower(world, rng, machine);
  },
  pause({ machine, later }) {
    machine.pause();
    later(() => machine.resume());
  },
  jump({ world, machine, offsetMs, usualOffsetMs, later }) {
    machine.wallOffsetMs = offsetMs();
    if (!isGuarded(world.scenario)) return;
    later(() => {
      machine.wallOffsetMs = usualOffsetMs();
    });
  },
  drift({ world, rng, machine, usualOffsetMs, later }) {
    const rate = (rng.fraction() - 0.5) * 2 * DRIFT_MAX;
    let over = false;
    const turn = (): void => {
      if (over) return;
      machine.wallOffsetMs += Math.round(rate * DRIFT_TURN_MS);
      world.time.after(DRIFT_TURN_MS, turn);
    };
    turn();
    later(() => {
      over = true;
      if (isGuarded(world.scenario)) machine.wallOffsetMs = usualOffsetMs();
    });
  },
  "slow-disk"({ world, rng, machine, later }) {
    world.slowDisks.set(machine, rng.fraction() * SLOW_DISK_MS_MAX);
    later(() => world.slowDisks.delete(machine));
  },
  rotate({ machine }) {
    machine.disk.rotateLog();
  },
  "io-error"({ rng, machine }) {
    if (machine.isReady) machine.disk.fail("batch", { applied: rng.fraction() < 0.5 });
  },
  /** It breaks, which ends the process, or it fills, which must not. */
  "disk-full"({ rng, machine, later }) {
    const { disk } = machine;
    if (rng.fraction() < 0.5) {
      disk.fail("batch", { times: Number.POSITIVE_INFINITY });
      later(() => disk.fail("batch", { times: 0 }));
      return;
    }
    disk.capacityBytes -= disk.freeBytes - rng.below(DISK_FREE_BYTES_MAX);
    later(() => {
      disk.capacityBytes = DISK_BYTES;
    });
  },
  "bit-rot"({ world, rng }) {
    const rotting = world.machines[0];
    // One disk may lose data only where another one has to hold it too.
    const { w, weakShare } = world.scenario;
    if (rotting === undefined || world.disksSwapped || w < 2 || weakShare > 0) return;
    const records = rotting.disk.entries().filter(([key]) => key[0] === KIND_RECORD);
    const [key, value] = records[rng.below(Math.max(1, records.length))] ?? [];
    if (key === undefined || value === undefined) return;
    const rotten = Uint8Array.from(value);
    const at = rng.below(rotten.byteLength);
    rotten[at] = (rotten[at] ?? 0) ^ (1 << rng.below(8));
    rotting.disk.rot(key, rotten);
  },
  "slow-node"({ world, rng, machine, later }) {
    const ms = rng.fraction() * SLOW_NODE_MS_MAX;
    const others = world.machines.filter((other) => other !== machine).map(({ id }) => id);
    const links = others.flatMap((id) => [`${machine.id} ${id}`, `${id} ${machine.id}`]);
    for (const link of links) world.slowLinks.set(link, ms);
    world.slowDisks.set(machine, ms);
    later(() => {
      for (const link of links) world.slowLinks.delete(link);
      world.slowDisks.delete(machine);
    });
  },
  wipe({ world, machine }) {
    if (!mayLoseADisk(world)) return;
    machine.kill();
    machine.disk = new MemoryDisk();
    world.sometimes.note("a disk was wiped");
    world.restartLater(machine);
  },
  rollback(strike) {
    rollBackLater(strike, strike.machine.disk.copy());
  },
  reset({ world, rng }) {
    for (const [a, b] of crossing(world, rng)) {
      world.network.cut(a, b);
      world.network.heal(a, b);
    }
  },
  swap({ world, rng, machine, later }) {
    const other = world.machines[rng.below(world.machines.length)];
    // One pair at a time: exchanges that overlap would not undo each other.
    if (other === undefined || other === machine || world.disksSwapped) return;
    exchangeDisks(world, machine, other);
    later(() => exchangeDisks(world, machine, other));
  },
};

/** I2 speaks of W − 1 disks, each resynchronised before the next. */
function mayLoseADisk({ diskRolledBack, machines, scenario }: World): boolean {
  const { faults, w, weakShare } = scenario;
  // It does not know at first that it lacks something, so nobody can tell when it is whole.
  if (diskRolledBack) return false;
  if (w < 2 || weakShare > 0 || faults.includes("bit-rot") || faults.includes("swap")) return false;
  return machines.every(({ isReady, isWhole }) => isReady && isWhole);
}

/** As soon as it may be, while there are faults, and once in a run. */
function rollBackLater(strike: Strike, older: MemoryDisk): void {
  const { world, machine, later } = strike;
  later(() => {
    if (!world.has("rollback") || world.diskRolledBack) return;
    if (!mayLoseADisk(world) || !isFoundOut(world, machine, older)) {
      return rollBackLater(strike, older);
    }
    machine.kill();
    machine.disk = older;
    world.diskRolledBack = true;
    world.sometimes.note("a disk was rolled back");
    world.restartLater(machine);
  });
}

/** Its peers can tell only when each of them has heard of more than the copy has. */
function isFoundOut({ machines }: World, machine: Machine, older: MemoryDisk): boolean {
  const peers = machines.filter((other) => other !== machine);
  return peers.every(({ disk }) => remembersMore(disk, machine.id, older));
}

function exchangeDisks(world: World, one: Machine, other: Machine): void {
  world.disksSwapped = !world.disksSwapped;
  for (const machine of [one, other]) machine.kill();
  [one.disk, other.disk] = [other.disk, one.disk];
  for (const machine of [one, other]) world.restartLater(machine);
}

function losePower(world: World, rng: SeededRng, machine: Machine): void {
  let lost = 0;
  machine.losePower((unsynced) => {
    const kept = rng.below(unsynced + 1);
    lost += unsynced - kept;
    return kept;
  });
  world.sometimes.note("a crash lost something unsynced", lost);
  world.restartLater(machine);
}

/** All pairs across a random division of the machines into two groups. */
function crossing(world: World, rng: SeededRng): readonly (readonly [NodeId, NodeId])[] {
  const sides = world.machines.map(() => rng.fraction() < 0.5);
  // A division needs two sides: the first machine changes over if all are on one.
  if (sides.every((side) => side === sides[0])) sides[0] = !sides[0];
  const on = (side: boolean): readonly NodeId[] =>
    world.machines.filter((_, i) => sides[i] === side).map(({ id }) => id);
  return on(true).flatMap((a) => on(false).map((b) => [a, b] as const));
}
