import type { Causality, Operation, SeenSibling } from "../../src/checker/history.ts";
import { DEFAULT_BUCKET } from "../../src/core/bucket.ts";
import { utf8, utf8Text } from "../../src/core/bytes.ts";
import { KvError } from "../../src/core/errors.ts";
import { msOfStamp, STAMPS_PER_MS } from "../../src/core/hlc.ts";
import { parseKey, parseWriteId } from "../../src/core/ids.ts";
import { dotText } from "../../src/core/version/dot.ts";
import type { Version } from "../../src/core/version/version.ts";
import type { Operations, SiblingView } from "../../src/ports/operations.ts";
import type { Machine } from "./machine.ts";
import { WALL_MS } from "./world.ts";
import type { World } from "./world.ts";

/** A client that heard nothing for this long beyond the deadline gives up: the outcome is unknown. */
export const PATIENCE_MS = 500;
/** Beyond what a write may take. */
const LEARNED_AHEAD_MS = 5_000;
/** Clocks that differ by less are none to complain of. */
const AGREEING_MS = 400;

export interface Plan {
  readonly kind: Operation["kind"];
  readonly key: string;
  /** Of a write. */
  readonly writeId: string;
  /** Of a put: a text that no other write has. */
  readonly value: string;
  /** Of a put: how long the version stays; undefined: for ever. */
  readonly ttlSeconds: number | undefined;
  readonly r: number;
  readonly w: number;
  readonly durability: "sync" | "async";
  readonly timeoutMs: number;
  /** 2 or more: a retry, under the same write id. */
  readonly attempt: number;
  /** Of a write to a bucket that keeps siblings; undefined: it is blind. */
  readonly context: string | undefined;
}

/** The version that an answer speaks of. */
interface Told {
  readonly identity: string | undefined;
  readonly stamp: number | undefined;
  readonly expiresAt: number | undefined;
  readonly expired: boolean;
  readonly context?: string | undefined;
  readonly siblings?: readonly SeenSibling[];
}

const NOTHING_TOLD: Told = {
  identity: undefined,
  stamp: undefined,
  expiresAt: undefined,
  expired: false,
};

interface Request {
  readonly client: number;
  readonly plan: Plan;
  readonly machine: Machine;
}

/** One attempt of an operation through one node, as its client sees it. Its end is in the history. */
export function attempt(world: World, { client, plan, machine }: Request): Promise<Operation> {
  const { operations } = machine;
  if (operations === undefined) throw new Error("the machine takes requests");
  const { time, scenario, trace, sometimes } = world;
  const wallMs = machine.clock.wallMs();
  const call = time.now();
  trace.note(call, `client ${client} ${plan.kind} ${plan.key} ${plan.writeId} ${plan.attempt}`);
  return new Promise((resolve) => {
    let over = false;
    const end = (outcome: Operation["outcome"], told: Told | undefined): void => {
      if (over) return;
      over = true;
      giveUp.cancel();
      trace.note(time.now(), `client ${client} ${outcome} ${told?.identity ?? ""}`);
      if (plan.kind !== "get") noteSkew(world, told?.stamp, wallMs);
      const operation: Operation = {
        client,
        key: plan.key,
        kind: plan.kind,
        call,
        end: outcome === "unknown" ? undefined : time.now(),
        outcome,
        version: plan.kind === "get" ? told?.identity : identityOf(written(plan)),
        stamp: told?.stamp,
        expiresAt: told?.expiresAt,
        expired: told?.expired ?? false,
        n: scenario.n,
        r: plan.r,
        w: plan.w,
        durability: plan.durability,
        causality: causalityOf(world, plan, told),
      };
      world.operations.push(operation);
      resolve(operation);
    };
    const giveUp = time.after(plan.timeoutMs + PATIENCE_MS, () => {
      sometimes.note("a client heard nothing");
      if (machine.steadySince(call)) {
        world.liveness.violation(
          plan.key,
          [],
          () =>
            `${plan.kind} through ${machine.id}, called at ${call}, had no answer ${PATIENCE_MS} ms after its deadline.`,
        );
      }
      end("unknown", undefined);
    });
    world.liveness.examine();
    perform(plan, operations).then(
      (told) => {
        if (told.expired || told.siblings?.some((it) => it.expired) === true) {
          sometimes.note("a read found an expired version");
        }
        end("ok", told);
      },
      (error: unknown) => {
        if (!(error instanceof KvError)) {
          world.bugs.push(error);
          return end("unknown", undefined);
        }
        sometimes.note(`error ${error.code}`);
        if (error.code === "clock-unsafe") noteGuard(world, plan, error);
        if (error.code === "context-too-large") world.crowdedKeys.add(plan.key);
        end(error.outcome, { ...NOTHING_TOLD, stamp: error.data.stamp });
      },
    );
  });
}

/** What tells the writes of a history apart: a value is told by itself, a tombstone by its write id. */
export function identityOf(
  version: Pick<Version, "writeId" | "content"> | undefined,
): string | undefined {
  if (version === undefined) return undefined;
  const { writeId, content } = version;
  return content === undefined ? `${writeId} deleted` : utf8Text(content.value);
}

/** As a history tells it of what a reader is shown, or a replica holds. */
export function seenSibling({ version, expired }: SiblingView): SeenSibling {
  const { stamp, expiresAt } = version;
  return {
    version: identityOf(version) ?? "",
    dot: dotText(version),
    stamp,
    expiresAt: onWorldClock(expiresAt),
    expired,
  };
}

function causalityOf(
  { scenario }: World,
  { context: sent }: Plan,
  told: Told | undefined,
): Causality | undefined {
  if (scenario.siblings === undefined) return undefined;
  const { blindWrites, siblingsMax } = scenario.siblings;
  const { context, siblings = [] } = told ?? {};
  return { blindWrites, siblingsMax, sent, context, siblings };
}

function written({ kind, writeId, value }: Plan): Pick<Version, "writeId" | "content"> {
  const content = { value: utf8(value), contentType: undefined, contentEncoding: undefined };
  return { writeId: parseWriteId(writeId), content: kind === "put" ? content : undefined };
}

/** Only a learned stamp lifts a new one far above the wall clock of its coordinator. */
function noteSkew({ sometimes }: World, stamp: number | undefined, wallMs: number): void {
  if (stamp !== undefined && stamp > (wallMs + LEARNED_AHEAD_MS) * STAMPS_PER_MS) {
    sometimes.note("a write learned a stamp above its own clock");
  }
}

function noteGuard(world: World, { key }: Plan, { message }: KvError): void {
  const spreadMs = world.clockSpreadMs;
  if (spreadMs >= AGREEING_MS) return;
  world.liveness.violation(
    key,
    [],
    () => `No two clocks were ever more than ${spreadMs} ms apart, and a node says: ${message}.`,
  );
}

async function perform(plan: Plan, operations: Operations): Promise<Told> {
  const target = {
    bucket: DEFAULT_BUCKET,
    key: parseKey(utf8(plan.key)),
    timeoutMs: plan.timeoutMs,
  };
  if (plan.kind === "get") {
    const { version, expired, context, siblings } = await operations.read({ ...target, r: plan.r });
    if (context !== undefined) {
      const seen = siblings.map(seenSibling);
      return { ...NOTHING_TOLD, context, siblings: seen };
    }
    const { stamp, expiresAt } = version ?? {};
    return { identity: identityOf(version), stamp, expiresAt: onWorldClock(expiresAt), expired };
  }
  const write = written(plan);
  const { version, context } = await operations.write({
    ...target,
    ...write,
    w: plan.w,
    durability: plan.durability,
    ttlSeconds: plan.ttlSeconds,
    attempt: plan.attempt,
    context: plan.context,
  });
  const { stamp } = version;
  const expiresAt =
    plan.ttlSeconds === undefined ? undefined : msOfStamp(stamp) + plan.ttlSeconds * 1_000;
  return {
    identity: identityOf(write),
    stamp,
    expiresAt: onWorldClock(expiresAt),
    expired: false,
    context,
  };
}

/** Of a right wall clock's reading the instant, which is what a history's times are. */
function onWorldClock(wallMs: number | undefined): number | undefined {
  return wallMs === undefined ? undefined : wallMs - WALL_MS;
}
