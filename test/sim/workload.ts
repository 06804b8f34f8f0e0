import type { Operation } from "../../src/checker/history.ts";
import type { SeededRng } from "../../src/testing/seeded-rng.ts";
import { attempt } from "./attempt.ts";
import type { Plan } from "./attempt.ts";
import { Contexts } from "./contexts.ts";
import type { Machine } from "./machine.ts";
import type { World } from "./world.ts";

/** A client that was refused waits a little, or a few isolated nodes would use up the run. */
const REFUSED_PAUSE_MS = 200;
const TIMEOUTS_MS = [100, 500, 2_000, 2_000] as const;
/** A write is attempted at most so often. */
const ATTEMPTS_MAX = 4;
/** Few enough that versions expire during a run. */
const TTL_SECONDS_MAX = 3;

interface Client {
  readonly number: number;
  readonly rng: SeededRng;
  readonly ttlRng: SeededRng;
  readonly contexts: Contexts;
}

/** The clients of a run: each does one operation after the other, through any node that is up. */
export class Workload {
  readonly #world: World;
  #begun = 0;
  #clientsLeft: number;

  constructor(world: World) {
    this.#world = world;
    const rng = world.rng.fork("workload");
    this.#clientsLeft = world.scenario.clients;
    for (let number = 0; number < world.scenario.clients; number++) {
      const own = rng.fork(number);
      const contexts = new Contexts(own.fork("contexts"));
      const client = { number, rng: own, ttlRng: own.fork("ttl"), contexts };
      this.#run(client).catch((error: unknown) => world.bugs.push(error));
    }
  }

  get isDone(): boolean {
    return this.#clientsLeft === 0;
  }

  async #run(client: Client): Promise<void> {
    const { scenario } = this.#world;
    while (this.#begun < scenario.operations) {
      await this.#world.pause(client.rng.fraction() * scenario.thinkMsMax);
      const plan = await this.#withContext(client, this.#plan(client));
      const machine = await this.#someMachine(client, undefined);
      const { outcome } = await this.#attempt(client, plan, machine);
      if (plan.kind !== "get") await this.#afterWrite(client, { plan, machine, outcome });
    }
    this.#clientsLeft -= 1;
  }

  /** A client retries what it does not know; a proxy that lost the answer retries what was done. */
  async #afterWrite(
    client: Client,
    first: { plan: Plan; machine: Machine; outcome: Operation["outcome"] },
  ): Promise<void> {
    const { retryShare, repeatShare, reuseShare } = this.#world.scenario;
    const { rng } = client;
    let { plan, machine, outcome } = first;
    while (plan.attempt < ATTEMPTS_MAX) {
      const share = outcome === "ok" ? repeatShare : outcome === "unknown" ? retryShare : 0;
      if (rng.fraction() >= share) break;
      this.#world.sometimes.note(`a write was retried that was ${outcome}`);
      plan = { ...plan, attempt: plan.attempt + 1 };
      machine = await this.#someMachine(client, machine);
      ({ outcome } = await this.#attempt(client, plan, machine));
    }
    if (rng.fraction() >= reuseShare) return;
    this.#world.sometimes.note("a write id was used again with other content");
    const other = { ...plan, kind: "put", value: `${plan.value} again` } as const;
    await this.#attempt(client, other, await this.#someMachine(client, undefined));
  }

  async #attempt(client: Client, plan: Plan, machine: Machine): Promise<Operation> {
    const operation = await attempt(this.#world, { client: client.number, plan, machine });
    client.contexts.note(operation);
    if (operation.outcome !== "ok") {
      await this.#world.pause(REFUSED_PAUSE_MS * client.rng.fraction());
    }
    return operation;
  }

  /** Of a write to a bucket that keeps siblings; perhaps the key is read first. */
  async #withContext(client: Client, plan: Plan): Promise<Plan> {
    const { siblings } = this.#world.scenario;
    if (siblings === undefined || plan.kind === "get") return plan;
    const { contexts } = client;
    const { key } = plan;
    switch (contexts.choose(siblings)) {
      case "blind":
        return plan;
      case "stale":
        return { ...plan, context: contexts.any(key) };
      case "foreign":
        return { ...plan, context: contexts.ofOther(key) };
      case "last":
        return { ...plan, context: contexts.last(key) };
      case "fresh": {
        const get: Plan = { ...plan, kind: "get", r: this.#world.scenario.r };
        const machine = await this.#someMachine(client, undefined);
        const { causality } = await this.#attempt(client, get, machine);
        return { ...plan, context: causality?.context };
      }
    }
  }

  /** Another one than last time where there is one; while nobody takes requests the client waits. */
  async #someMachine({ rng }: Client, last: Machine | undefined): Promise<Machine> {
    for (;;) {
      const ready = this.#world.machines.filter((machine) => machine.isReady);
      const others = ready.filter((machine) => machine !== last);
      const choices = others.length > 0 ? others : ready;
      const machine = choices[rng.below(Math.max(1, choices.length))];
      if (machine !== undefined) return machine;
      await this.#world.pause(20);
    }
  }

  #plan({ rng, ttlRng }: Client): Plan {
    const { keys, n, r, w, weakShare, asyncShare, deleteShare, ttlShare, seed } =
      this.#world.scenario;
    const write = rng.fraction() < 0.5;
    const weak = rng.fraction() < weakShare;
    this.#begun += 1;
    const kind = write ? (rng.fraction() < deleteShare ? "delete" : "put") : "get";
    const expires = kind === "put" && ttlRng.fraction() < ttlShare;
    const id = `${seed}.${this.#begun}`;
    return {
      kind,
      key: `key-${rng.below(keys)}`,
      writeId: id,
      value: id,
      ttlSeconds: expires ? 1 + ttlRng.below(TTL_SECONDS_MAX) : undefined,
      r: weak && !write ? 1 + rng.below(n) : r,
      w: weak && write ? 1 + rng.below(n) : w,
      durability: rng.fraction() < asyncShare ? "async" : "sync",
      timeoutMs: TIMEOUTS_MS[rng.below(TIMEOUTS_MS.length)] ?? 2_000,
      attempt: 1,
      context: undefined,
    };
  }
}
