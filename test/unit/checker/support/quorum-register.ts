import type { History, Operation, ReplicaRecord } from "../../../../src/checker/history.ts";
import { SeededRng } from "../../../../src/testing/seeded-rng.ts";

/**
 * A model of the protocol (learn → mint → write; read, write back) with one message delivered at a
 * time in random order, lost messages, deadlines, skewed clocks and power loss: what it lets clients
 * see is what the promises allow. Each mutant leaves out one thing that a promise rests on.
 */
export const MUTANTS = [
  "no learn round",
  "no write-back",
  "write-back to max(W, N-R+1) only",
  "older versions are applied",
  "first answer instead of newest",
  "equal stamps keep what came first",
  "deadline reported as not-applied",
  "acknowledged before fsync",
  "stamps first and stamps again on conflict",
  "a retry is not recognised",
  "a retry that is recognised is acknowledged at once",
] as const;
export type Mutant = (typeof MUTANTS)[number];

export interface Setting {
  readonly seed: number;
  readonly n: number;
  readonly r: number;
  readonly w: number;
  readonly operations: number;
  readonly clients: number;
  readonly keys: number;
  /** Share of requests with an r or w of their own. */
  readonly ownSizes: number;
  readonly asyncShare: number;
  readonly loss: number;
  readonly powerLoss: number;
  readonly skew: number;
  /** Share of writes that attempt an earlier one again, whatever became of it. */
  readonly retries: number;
  readonly mutant: Mutant | undefined;
}

interface Held {
  readonly version: string;
  readonly stamp: number;
  /** The writes that it came from, live or superseded, newest first. */
  readonly recent: readonly Recent[];
}

interface Recent {
  readonly version: string;
  readonly stamp: number;
}

const NONE: Held = { version: "", stamp: 0, recent: [] };
const RECENT_MAX = 16;

/** What a client waits for. */
interface Running {
  readonly id: number;
  readonly deadline: number;
  readonly expire: () => void;
}

interface Replica {
  readonly held: Map<string, Held>;
  readonly synced: Map<string, Held>;
}

/** How an operation learns that its client still waits, and tells it the answer. */
interface Progress {
  readonly id: number;
  readonly isRunning: () => boolean;
  readonly finish: (answer: Partial<Operation>) => void;
}

const DEADLINE = 60;

export function runQuorumRegister(setting: Setting): History {
  return new QuorumRegister(setting).run();
}

class QuorumRegister {
  readonly #setting: Setting;
  readonly #rng: SeededRng;
  readonly #replicas: readonly Replica[];
  readonly #offsets: readonly number[];
  readonly #messages: (() => void)[] = [];
  readonly #operations: Operation[] = [];
  readonly #running = new Map<number, Running>();
  #now = 0;

  constructor(setting: Setting) {
    this.#setting = setting;
    this.#rng = new SeededRng(setting.seed);
    this.#replicas = Array.from({ length: setting.n }, () => ({
      held: new Map<string, Held>(),
      synced: new Map<string, Held>(),
    }));
    this.#offsets = Array.from({ length: setting.clients }, () =>
      this.#rng.below(setting.skew + 1),
    );
  }

  run(): History {
    const { operations, clients, powerLoss } = this.#setting;
    while (this.#operations.length < operations || this.#running.size > 0) {
      this.#now += 1;
      for (const [client, { expire, deadline }] of this.#running) {
        if (deadline >= this.#now) continue;
        this.#running.delete(client);
        expire();
      }
      if (this.#rng.fraction() < powerLoss) this.#losePower();
      const client = this.#rng.below(clients);
      const idle = !this.#running.has(client) && this.#operations.length < operations;
      if (idle && this.#rng.fraction() < 0.3) this.#begin(client);
      else this.#deliverOne();
    }
    return { operations: this.#operations, replicas: this.#converged() };
  }

  #begin(client: number): void {
    const { n, r, w, keys, ownSizes, asyncShare } = this.#setting;
    const kind =
      (["put", "put", "delete", "get", "get", "get"] as const)[this.#rng.below(6)] ?? "get";
    const own = this.#rng.fraction() < ownSizes ? 1 + this.#rng.below(n) : undefined;
    const isGet = kind === "get";
    const id = this.#operations.length;
    const fresh: Operation = {
      client,
      key: `k${this.#rng.below(keys)}`,
      kind,
      call: this.#now,
      end: undefined,
      outcome: "unknown",
      version: isGet ? undefined : `v${id}`,
      stamp: undefined,
      expiresAt: undefined,
      expired: false,
      n,
      r: isGet ? (own ?? r) : r,
      w: isGet ? w : (own ?? w),
      durability: this.#rng.fraction() < asyncShare ? "async" : "sync",
    };
    const begun = isGet ? fresh : this.#perhapsAgain(fresh);
    this.#operations.push(begun);
    const finish = (answer: Partial<Operation>): void => {
      if (this.#running.get(client)?.id !== id) return;
      this.#running.delete(client);
      this.#operations[id] = { ...begun, end: this.#now, ...answer };
    };
    const isRunning = (): boolean => this.#running.get(client)?.id === id;
    if (isGet) this.#get(begun, { id, isRunning, finish });
    else this.#write(begun, { id, isRunning, finish });
  }

  /** One of the last writes once more, or the write as it is. */
  #perhapsAgain(write: Operation): Operation {
    const { retries } = this.#setting;
    if (retries === 0 || this.#rng.fraction() >= retries) return write;
    const before = this.#operations.slice(-12).filter(({ kind }) => kind !== "get");
    const first = before[this.#rng.below(Math.max(1, before.length))];
    if (first === undefined) return write;
    const { client, call } = write;
    return { ...first, client, call, end: undefined, outcome: "unknown", stamp: undefined };
  }

  #write(
    { client, key, version = "", n, r, w, durability }: Operation,
    { id, isRunning, finish }: Progress,
  ): void {
    const { mutant } = this.#setting;
    const isRetry = this.#operations.some((it, i) => it.version === version && i < id);
    let sent: number | undefined;
    this.#running.set(client, {
      id,
      deadline: this.#now + DEADLINE,
      expire: () => {
        const proven =
          (sent === undefined && !isRetry) || mutant === "deadline reported as not-applied";
        const heard = proven || this.#rng.fraction() < 0.5;
        this.#operations[id] = {
          ...(this.#operations[id] as Operation),
          end: this.#now,
          outcome: proven ? "not-applied" : "unknown",
          stamp: heard ? sent : undefined,
        };
      },
    });
    const own = (): number => this.#now + (this.#offsets[client] ?? 0);
    const write = (stamp: number): void => {
      sent = stamp;
      const acks = new Set<number>();
      let newest = 0;
      this.#askAll((replica, node) => {
        const before = replica.held.get(key) ?? NONE;
        const recent = [{ version, stamp }];
        this.#merge(replica, key, { version, stamp, recent }, durability);
        return () => {
          acks.add(node);
          if (before.version !== version) newest = Math.max(newest, before.stamp);
          if (acks.size !== w || !isRunning()) return;
          const again = mutant === "stamps first and stamps again on conflict" && newest >= stamp;
          if (again) write(newest + 1);
          else finish({ outcome: "ok", stamp });
        };
      });
    };
    if (mutant === "no learn round" || mutant === "stamps first and stamps again on conflict") {
      write(own());
      return;
    }
    const full = n + 1 - Math.min(r, w);
    const needed = r + w > n ? full : Math.min(w, full);
    let answers = 0;
    let newest = 0;
    let known: number | undefined;
    this.#askAll((replica) => {
      const { stamp, recent } = replica.held.get(key) ?? NONE;
      return () => {
        answers += 1;
        newest = Math.max(newest, stamp);
        const mine = recent.find((it) => it.version === version)?.stamp;
        if (mine !== undefined) known = Math.max(known ?? 0, mine);
        // A coordinator whose client has given up goes no further.
        if (answers !== needed || !isRunning()) return;
        if (known === undefined || mutant === "a retry is not recognised") {
          write(Math.max(own(), newest + 1));
        } else if (mutant === "a retry that is recognised is acknowledged at once") {
          finish({ outcome: "ok", stamp: known });
        } else {
          write(known);
        }
      };
    });
  }

  #get({ client, key, n, r, w }: Operation, { id, isRunning, finish }: Progress): void {
    const { mutant } = this.#setting;
    this.#running.set(client, { id, deadline: this.#now + DEADLINE, expire: () => {} });
    const answers = new Map<number, Held>();
    const answer = ({ version, stamp }: Held): void =>
      finish(version === "" ? { outcome: "ok" } : { outcome: "ok", version, stamp });
    this.#askAll((replica, node) => {
      const held = replica.held.get(key) ?? NONE;
      return () => {
        if (answers.size >= r || !isRunning()) return;
        answers.set(node, held);
        if (answers.size < r) return;
        const all = [...answers.values()];
        const newest = all.reduce((a, b) => (isNewer(b, a) ? b : a));
        if (mutant === "first answer instead of newest") answer(all[0] ?? NONE);
        else if (mutant === "no write-back" || all.every((it) => isSame(it, newest))) {
          answer(newest);
        } else {
          const least = mutant === "write-back to max(W, N-R+1) only" ? n - r + 1 : r;
          const holders = new Set(
            [...answers].filter(([, it]) => isSame(it, newest)).map(([it]) => it),
          );
          this.#writeBack(key, newest, { holders, needed: Math.max(w, least) }, () =>
            answer(newest),
          );
        }
      };
    });
  }

  #writeBack(
    key: string,
    newest: Held,
    { holders, needed }: { holders: Set<number>; needed: number },
    done: () => void,
  ): void {
    if (holders.size >= needed) {
      done();
      return;
    }
    this.#askAll((replica, node) => {
      this.#merge(replica, key, newest, "sync");
      return () => {
        holders.add(node);
        if (holders.size === needed) done();
      };
    });
  }

  /** `ask` runs when the request arrives, what it returns when its answer does; either may be lost. */
  #askAll(ask: (replica: Replica, node: number) => () => void): void {
    for (const [node, replica] of this.#replicas.entries()) {
      this.#send(() => {
        const answer = ask(replica, node);
        this.#send(answer);
      });
    }
  }

  #send(deliver: () => void): void {
    if (this.#rng.fraction() >= this.#setting.loss) this.#messages.push(deliver);
  }

  #deliverOne(): void {
    if (this.#messages.length === 0) return;
    // Mostly the oldest ones; now and then any.
    const window = this.#rng.fraction() < 0.1 ? this.#messages.length : 12;
    const at = this.#rng.below(Math.min(window, this.#messages.length));
    this.#messages.splice(at, 1)[0]?.();
  }

  #merge(replica: Replica, key: string, incoming: Held, durability: "sync" | "async"): void {
    const { mutant } = this.#setting;
    const stored = replica.held.get(key) ?? NONE;
    const wins =
      mutant === "older versions are applied" ||
      (mutant === "equal stamps keep what came first"
        ? incoming.stamp > stored.stamp
        : isNewer(incoming, stored));
    replica.held.set(key, {
      ...(wins ? incoming : stored),
      recent: trimmed([...incoming.recent, ...stored.recent]),
    });
    if (durability === "async" || mutant === "acknowledged before fsync") return;
    for (const [synced, held] of replica.held) replica.synced.set(synced, held);
  }

  /** Of one machine, or of all. */
  #losePower(): void {
    const victim = this.#rng.below(this.#replicas.length + 1);
    for (const [node, replica] of this.#replicas.entries()) {
      if (node !== victim && victim !== this.#replicas.length) continue;
      replica.held.clear();
      for (const [key, held] of replica.synced) replica.held.set(key, held);
    }
  }

  /** After every key was read at R = N: all hold the newest. */
  #converged(): History["replicas"] {
    const keys = new Set(this.#replicas.flatMap((it) => [...it.held.keys()]));
    for (const key of keys) {
      const newest = this.#replicas
        .map((it) => it.held.get(key) ?? NONE)
        .reduce((a, b) => (isNewer(b, a) ? b : a));
      for (const replica of this.#replicas) this.#merge(replica, key, newest, "sync");
    }
    return this.#replicas.map(({ held }, node) => ({
      node: `n${node + 1}`,
      records: new Map(Array.from(held, ([key, it]) => [key, recordOf(it)])),
    }));
  }
}

function recordOf({ version, stamp }: Held): ReplicaRecord {
  return { version, stamp, tombstone: false, digest: `${version}@${stamp}` };
}

function trimmed(recent: readonly Recent[]): readonly Recent[] {
  const newestFirst = recent.toSorted((a, b) => b.stamp - a.stamp);
  const once = newestFirst.filter(
    (it, i) => !newestFirst.slice(0, i).some((other) => isSame(it, other)),
  );
  return once.slice(0, RECENT_MAX);
}

function isSame(a: Recent, b: Recent): boolean {
  return a.version === b.version && a.stamp === b.stamp;
}

function isNewer(a: Held, b: Held): boolean {
  return a.stamp !== b.stamp ? a.stamp > b.stamp : a.version > b.version;
}
