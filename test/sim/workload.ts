import type { Operation } from "../../src/checker/history.ts";
import { DEFAULT_BUCKET } from "../../src/core/bucket.ts";
import { utf8 } from "../../src/core/bytes.ts";
import { KvError } from "../../src/core/errors.ts";
import { msOfStamp } from "../../src/core/hlc.ts";
import { parseKey, parseWriteId } from "../../src/core/ids.ts";
import type { Operations, QuorumFacts } from "../../src/ports/operations.ts";
import type { VersionIdentity } from "../../src/core/version/version.ts";
import type { SeededRng } from "../../src/testing/seeded-rng.ts";
import type { Machine } from "./machine.ts";
import type { World } from "./world.ts";

/** A client that heard nothing for this long beyond the deadline gives up: the outcome is unknown. */
const PATIENCE_MS = 500;
/** Beyond what a write may take. */
const LEARNED_AHEAD_MS = 5_000;
const REFUSED_PAUSE_MS = 200;
const TIMEOUTS_MS = [100, 500, 2_000, 2_000] as const;

interface Plan {
  readonly kind: Operation["kind"];
  readonly key: string;
  readonly version: string;
  readonly r: number;
  readonly w: number;
  readonly durability: "sync" | "async";
  readonly timeoutMs: number;
}

interface Answer {
  readonly version: VersionIdentity | undefined;
  readonly quorum: QuorumFacts;
}

/** The clients of a run: each does one operation after the other, through any node that is up. */
export class Workload {
  /** Every write has a version of its own, so any version read tells which attempt wrote it. */
  readonly operations: Operation[] = [];
  readonly #world: World;
  readonly #rng: SeededRng;
  #begun = 0;
  #clientsLeft: number;

  constructor(world: World) {
    this.#world = world;
    this.#rng = world.rng.fork("workload");
    this.#clientsLeft = world.scenario.clients;
    for (let client = 0; client < world.scenario.clients; client++) {
      this.#next(client, this.#rng.fork(client));
    }
  }

  get isDone(): boolean {
    return this.#clientsLeft === 0;
  }

  #next(client: number, rng: SeededRng): void {
    const { scenario, time } = this.#world;
    if (this.#begun >= scenario.operations) {
      this.#clientsLeft -= 1;
      return;
    }
    const thinkMs = rng.fraction() * scenario.thinkMsMax;
    time.after(thinkMs, () => {
      const nodes = this.#world.machines.filter((machine) => machine.isReady);
      const machine = nodes[rng.below(Math.max(1, nodes.length))];
      if (machine?.operations === undefined) {
        // Nobody takes requests: the client tries again a little later.
        time.after(20, () => this.#next(client, rng));
        return;
      }
      this.#perform({ client, rng, plan: this.#plan(rng), machine });
    });
  }

  #plan(rng: SeededRng): Plan {
    const { keys, n, r, w, weakShare, asyncShare, deleteShare, seed } = this.#world.scenario;
    const write = rng.fraction() < 0.5;
    const weak = rng.fraction() < weakShare;
    this.#begun += 1;
    return {
      kind: write ? (rng.fraction() < deleteShare ? "delete" : "put") : "get",
      key: `key-${rng.below(keys)}`,
      version: `${seed}.${this.#begun}`,
      r: weak && !write ? 1 + rng.below(n) : r,
      w: weak && write ? 1 + rng.below(n) : w,
      durability: rng.fraction() < asyncShare ? "async" : "sync",
      timeoutMs: TIMEOUTS_MS[rng.below(TIMEOUTS_MS.length)] ?? 2_000,
    };
  }

  /** Only a learned stamp lifts a new one far above the wall clock of its coordinator. */
  #noteSkew({ kind }: Plan, answer: Answer | undefined, wallMs: number): void {
    const stamp = answer?.version?.stamp;
    if (kind === "get" || stamp === undefined) return;
    if (msOfStamp(stamp) > wallMs + LEARNED_AHEAD_MS) {
      this.#world.sometimes.note("a write learned a stamp above its own clock");
    }
  }

  #perform(at: { client: number; rng: SeededRng; plan: Plan; machine: Machine }): void {
    const { client, rng, plan, machine } = at;
    const { operations } = machine;
    if (operations === undefined) throw new Error("the machine takes requests");
    const wallMs = machine.clock.wallMs();
    const { time, scenario, trace } = this.#world;
    const call = time.now();
    trace.note(call, `client ${client} ${plan.kind} ${plan.key} ${plan.version}`);
    let over = false;
    const end = (outcome: Operation["outcome"], answer: Answer | undefined): void => {
      if (over) return;
      over = true;
      giveUp.cancel();
      trace.note(time.now(), `client ${client} ${outcome} ${answer?.version?.writeId ?? ""}`);
      this.#noteSkew(plan, answer, wallMs);
      const version = plan.kind === "get" ? answer?.version?.writeId : plan.version;
      this.operations.push({
        client,
        key: plan.key,
        kind: plan.kind,
        call,
        end: outcome === "unknown" ? undefined : time.now(),
        outcome,
        version,
        stamp: answer?.version?.stamp,
        n: scenario.n,
        r: plan.r,
        w: plan.w,
        durability: plan.durability,
      });
      // A client that was refused waits a little, or a few isolated nodes would use up the run.
      if (outcome === "ok") this.#next(client, rng);
      else time.after(REFUSED_PAUSE_MS * rng.fraction(), () => this.#next(client, rng));
    };
    const giveUp = time.after(plan.timeoutMs + PATIENCE_MS, () => {
      this.#world.sometimes.note("a client heard nothing");
      end("unknown", undefined);
    });
    perform(plan, operations).then(
      (answer) => end("ok", answer),
      (error: unknown) => {
        if (!(error instanceof KvError)) {
          this.#world.bugs.push(error);
          return end("unknown", undefined);
        }
        this.#world.sometimes.note(`error ${error.code}`);
        end(error.outcome, undefined);
      },
    );
  }
}

function perform(plan: Plan, operations: Operations): Promise<Answer> {
  const target = {
    bucket: DEFAULT_BUCKET,
    key: parseKey(utf8(plan.key)),
    timeoutMs: plan.timeoutMs,
  };
  if (plan.kind === "get") return operations.read({ ...target, r: plan.r });
  return operations.write({
    ...target,
    content:
      plan.kind === "put"
        ? { value: utf8(plan.version), contentType: undefined, contentEncoding: undefined }
        : undefined,
    w: plan.w,
    durability: plan.durability,
    ttlSeconds: undefined,
    writeId: parseWriteId(plan.version),
    attempt: 1,
  });
}
