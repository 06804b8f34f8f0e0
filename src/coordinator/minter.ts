import type { Answer } from "../core/answer.ts";
import { assert } from "../core/assert.ts";
import type { BucketProperties } from "../core/bucket.ts";
import { NOTHING_SEEN } from "../core/causal/causal-context.ts";
import { KvError } from "../core/errors.ts";
import type { Outcome } from "../core/errors.ts";
import { stampAfter } from "../core/hlc.ts";
import type { ClusterDocument } from "../core/layout/cluster-document.ts";
import type { ReadAnswer } from "../core/messages/answer.ts";
import type { MintAnswer, MintRequest } from "../core/messages/mint.ts";
import { bucketOfRecordKey, partitionOfRecordKey } from "../core/record-key.ts";
import { recentOf } from "../core/version/recent.ts";
import { checkSiblings, newestKnown, seenBy, successor } from "../core/version/successor.ts";
import type { SiblingsRecord } from "../core/version/siblings-record.ts";
import { writeIdentity } from "../core/version/write-identity.ts";
import { BUGGIFY_PAUSE_MS } from "../ports/buggify.ts";
import { sleep } from "../ports/clock.ts";
import type { Instant } from "../ports/clock.ts";
import type { PeerHandler } from "../ports/peer-handler.ts";
import type { Replicas } from "../ports/replicas.ts";
import { ActorTrust } from "./actor-trust.ts";
import { Deadline } from "./deadline.ts";
import type { Forwarded, ForwardPlan } from "./forward.ts";
import { KeyTurns } from "./key-turns.ts";
import { confirmKnown } from "./known-write.ts";
import { learn } from "./learn.ts";
import { OperationLog } from "./operation-log.ts";
import type { OperationLogOptions } from "./operation-log.ts";
import { mintStamp } from "./mint-stamp.ts";
import { replicate, writeFailure } from "./replicate.ts";
import { askingOrder } from "./round.ts";
import { versionOf } from "./write.ts";
import type { WriteModules } from "./write.ts";

interface MinterModules extends Omit<WriteModules, "replicas"> {
  readonly document: () => ClusterDocument;
  readonly checkClock: (outcome: Outcome) => void;
  readonly caughtUp: (outcome: Outcome) => Promise<void> | undefined;
  /** Of what it mints the own disk takes nothing. */
  readonly isReadOnly: () => boolean;
  /** From then on this node mints as somebody new. */
  readonly renewActor: () => Promise<void>;
}

type MintPlan = ForwardPlan & Pick<BucketProperties, "blindWrites" | "siblingsMax">;

/**
 * Mints the versions of siblings buckets on this node, a replica of their keys: learn → mint → write,
 * one operation of a key at a time. Whoever holds a version of this actor must hold or have discarded
 * every earlier one, so each record goes out whole, and the next is minted from what is on the own disk
 * by then. When that is in doubt the node becomes a new actor first.
 */
export class Minter implements Pick<PeerHandler, "mint"> {
  readonly #operationsMax: number;
  readonly #modules: MinterModules;
  readonly #trust: ActorTrust;
  readonly #turns = new KeyTurns();
  readonly #log: OperationLog;
  #replicas: Replicas | undefined;
  #inflight = 0;

  constructor(
    options: { readonly operationsMax: number } & OperationLogOptions,
    modules: MinterModules,
  ) {
    this.#operationsMax = options.operationsMax;
    this.#log = new OperationLog(options, modules);
    this.#modules = modules;
    this.#trust = new ActorTrust(modules.renewActor);
  }

  /** Until then nothing is minted. */
  start(replicas: Replicas): void {
    this.#replicas = replicas;
  }

  /** Every version that this node's actor minted is on its disk. */
  get isTrusted(): boolean {
    return this.#trust.isTrusted;
  }

  mint(
    request: MintRequest,
    deadline: Instant,
    onAnswer: (answer: Answer<MintAnswer>) => void,
  ): void {
    const { clock, telemetry } = this.#modules;
    if (this.#replicas === undefined) {
      return onAnswer({ kind: "refused", reason: "resynchronising" });
    }
    if (this.#inflight >= this.#operationsMax) {
      telemetry.metrics.refused.with("operationsMax").add();
      return onAnswer({ kind: "refused", reason: "overloaded" });
    }
    if (deadline <= clock.now()) return onAnswer({ kind: "refused", reason: "expired" });
    this.#inflight += 1;
    const begun = clock.now();
    const until = new Deadline(clock, deadline - begun);
    void this.#run(request, until, { ...this.#modules, replicas: this.#replicas })
      .catch((error: unknown) => {
        const known = error instanceof KvError;
        if (!known) telemetry.log.error({ err: error }, "bug");
        const failed = known ? error : new KvError("internal", "a bug at the replica that minted");
        return { kind: "failed", error: failed } as const;
      })
      .then((value) => {
        until.cancel();
        this.#inflight -= 1;
        this.#log.ended({
          op: "mint",
          mode: "siblings",
          bucket: bucketOfRecordKey(request.key),
          key: request.key,
          requestId: undefined,
          durationMs: clock.now() - begun,
          deadline: until,
          error: value.kind === "failed" ? value.error : undefined,
        });
        onAnswer({ kind: "ok", value });
      });
  }

  async #run(request: MintRequest, deadline: Deadline, modules: WriteModules): Promise<MintAnswer> {
    const refused = request.attempt === 1 ? "not-applied" : "unknown";
    this.#modules.checkClock(refused);
    const behind = this.#modules.caughtUp(refused);
    if (behind !== undefined) await behind;
    modules.stamps.prepare();
    const plan = this.#planOf(request, deadline);
    if (this.#modules.isReadOnly()) {
      throw notMinted(plan, "the disk of the replica that was to mint it is full");
    }
    const turn = this.#turns.take(plan.key);
    const end = await deadline.race(turn, "turn");
    if (end === "deadline") {
      void turn.then((endTurn) => endTurn());
      throw notMinted(plan, "other writes of the key took all the time");
    }
    const { version, acked, context } = await this.#write(plan, end, modules);
    return { kind: "written", stamp: version.stamp, acked, context };
  }

  /** The turn ends when the own disk has answered, which may be after the operation. */
  async #write(plan: MintPlan, endTurn: () => void, modules: WriteModules): Promise<Forwarded> {
    let own: Promise<Answer<"applied">> | undefined;
    try {
      return await this.#learnAndWrite(plan, modules, (answer) => {
        own = answer;
      });
    } finally {
      if (own === undefined) endTurn();
      else {
        void own.then((answer) => {
          if (answer.kind !== "ok") this.#trust.lose();
          endTurn();
        });
      }
    }
  }

  async #learnAndWrite(
    plan: MintPlan,
    modules: WriteModules,
    watchOwn: (answer: Promise<Answer<"applied">>) => void,
  ): Promise<Forwarded> {
    const order = askingOrder(modules.replicas, plan.preferenceList);
    const { newest, seen, witnesses } = await learn(plan, order, modules);
    if (witnesses.length > 0) {
      const known = await confirmKnown(plan, order, witnesses, modules);
      return { ...known, context: plan.context ?? NOTHING_SEEN };
    }
    if (modules.buggify("pause-before-write")) await sleep(modules.clock, BUGGIFY_PAUSE_MS);
    await this.#trust.restored();
    const { writeId } = plan.identity;
    const minted = await mintStamp(plan, modules.stamps);
    const before = await ownRecord(plan, modules);
    const context = plan.context ?? (plan.blindWrites === "overwrite" ? seen : NOTHING_SEEN);
    checkSiblings(before, { context, siblingsMax: plan.siblingsMax, writeId });
    const stamp = stampAfter({ own: minted, newest: newestKnown(newest, before, context) });
    const version = versionOf(plan, { stamp, actor: modules.stamps.actor });
    const recent = recentOf(stamp, plan.identity);
    const record = successor(plan.key, before, { version, context, recent });
    const written = { record, stamp, purpose: "client", watchOwn } as const;
    const acked = await replicate(plan, order, written, modules);
    return { version, acked, context: seenBy(version, { context, record }) };
  }

  #planOf(request: MintRequest, deadline: Deadline): MintPlan {
    const { layout, buckets } = this.#modules.document();
    const properties = buckets.get(bucketOfRecordKey(request.key));
    if (properties?.mode !== "siblings") {
      throw new KvError("bucket-not-found", "there is no such bucket of siblings here");
    }
    const { n, r, blindWrites, siblingsMax } = properties;
    return {
      ...request,
      identity: writeIdentity(request),
      preferenceList: layout.preferenceList(partitionOfRecordKey(request.key), n),
      r,
      deadline,
      blindWrites,
      siblingsMax,
    };
  }
}

/** What this node holds of the key; when it cannot vouch for that, nothing is minted here. */
async function ownRecord(
  plan: MintPlan,
  { replicas }: WriteModules,
): Promise<SiblingsRecord | undefined> {
  const answer = await new Promise<Answer<ReadAnswer>>((resolve) => {
    replicas.of(replicas.self).read(plan.key, plan.deadline.at, resolve);
  });
  if (answer.kind !== "ok") {
    throw notMinted(plan, `the replica that was to mint it cannot vouch for it: ${answer.reason}`);
  }
  const { record } = answer.value;
  assert(record?.mode !== "lww", "a key has one mode");
  return record;
}

function notMinted(plan: MintPlan, why: string): KvError {
  const detail = `${why}; nothing was sent to be written`;
  return writeFailure(plan, { outcome: "not-applied", needed: plan.w, acked: 0, detail });
}
