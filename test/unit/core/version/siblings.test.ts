import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { equalBytes, utf8, utf8Text } from "../../../../src/core/bytes.ts";
import { NOTHING_SEEN } from "../../../../src/core/causal/causal-context.ts";
import type { CausalContext } from "../../../../src/core/causal/causal-context.ts";
import { ByteWriter } from "../../../../src/core/codec.ts";
import { crc32 } from "../../../../src/core/hash.ts";
import type { Stamp } from "../../../../src/core/hlc.ts";
import { parseActorId, parseBucketName, parseKey, parseWriteId } from "../../../../src/core/ids.ts";
import type { ActorId } from "../../../../src/core/ids.ts";
import { recordKey } from "../../../../src/core/record-key.ts";
import { mergeModel } from "../../../../src/core/version/merge.ts";
import { recentOf } from "../../../../src/core/version/recent.ts";
import { decodeRecord, digestOf } from "../../../../src/core/version/record.ts";
import { siblings, supersede, survivors } from "../../../../src/core/version/siblings.ts";
import type { SiblingsRecord } from "../../../../src/core/version/siblings-record.ts";
import { seenBy } from "../../../../src/core/version/successor.ts";
import type { Version } from "../../../../src/core/version/version.ts";
import { writeIdentity } from "../../../../src/core/version/write-identity.ts";
import { withBitFlipped } from "../support/arbitraries.ts";
import { forAll } from "../support/for-all.ts";

const KEY = recordKey(parseBucketName("sets"), parseKey(utf8("k")));
const REPLICAS = 3;

function actorOf(replica: number): ActorId {
  return parseActorId(String(replica).repeat(24));
}

function merge(a: SiblingsRecord | undefined, b: SiblingsRecord): SiblingsRecord {
  const both = siblings.merge(KEY, a, b);
  if (both.mode !== "siblings") throw new Error("a siblings record");
  return both;
}

function versionOf(of: { actor: ActorId; stamp: number; name: string }): Version {
  const content = { value: utf8(of.name), contentType: undefined, contentEncoding: undefined };
  return {
    actor: of.actor,
    stamp: of.stamp as Stamp,
    writeId: parseWriteId(of.name),
    content,
    expiresAt: undefined,
  };
}

function write(
  before: SiblingsRecord | undefined,
  of: { replica: number; stamp: number; name: string; context?: CausalContext },
): SiblingsRecord {
  const version = versionOf({ ...of, actor: actorOf(of.replica) });
  const identity = writeIdentity({ ...version, ttlSeconds: undefined });
  const recent = recentOf(version.stamp, identity);
  return supersede(KEY, before, { version, context: of.context ?? NOTHING_SEEN, recent });
}

function namesOf(record: SiblingsRecord | undefined): readonly string[] {
  return (record?.versions ?? [])
    .map(({ content }) => utf8Text(content?.value ?? utf8("")) ?? "")
    .toSorted();
}

type Step =
  /** `context` counts from the newest that was seen, 1; with 0 the write is blind. */
  | { readonly kind: "write"; readonly at: number; readonly context: number }
  | { readonly kind: "read"; readonly from: readonly number[] }
  | { readonly kind: "send"; readonly from: number; readonly to: number };

const replica = fc.nat(REPLICAS - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant("write" as const), at: replica, context: fc.nat(3) }),
  fc.record({
    kind: fc.constant("read" as const),
    from: fc.uniqueArray(replica, { minLength: 1 }),
  }),
  fc.record({ kind: fc.constant("send" as const), from: replica, to: replica }),
);
const history = fc.array(step, { maxLength: 40, size: "max" });

/** What every replica would hold if it kept each write with all that its writer had seen. */
interface Events {
  readonly names: ReadonlySet<string>;
}

interface Seen {
  readonly context: CausalContext;
  /** Every write that was read or was in the past of one that was. */
  readonly past: ReadonlySet<string>;
}

/** Runs the steps on records and, beside them, on plain sets of events with their whole past. */
class World {
  readonly records: (SiblingsRecord | undefined)[] = Array.from({ length: REPLICAS });
  readonly events: Events[] = Array.from({ length: REPLICAS }, () => ({ names: new Set() }));
  readonly #past = new Map<string, ReadonlySet<string>>();
  readonly #seen: Seen[] = [];
  readonly #clocks: number[] = Array.from({ length: REPLICAS }, () => 0);
  #writes = 0;

  run(steps: readonly Step[]): this {
    for (const next of steps) {
      if (next.kind === "write") this.#write(next);
      else if (next.kind === "read") this.#read(next.from);
      else this.#send(next);
    }
    return this;
  }

  /** The events that nobody who wrote one of the others had seen. */
  live({ names }: Events): readonly string[] {
    const covered = new Set([...names].flatMap((name) => [...(this.#past.get(name) ?? [])]));
    return [...names].filter((name) => !covered.has(name)).toSorted();
  }

  #write({ at, context }: { at: number; context: number }): void {
    const seen = this.#seen[this.#seen.length - context] ?? {
      context: NOTHING_SEEN,
      past: new Set<string>(),
    };
    const name = `w${(this.#writes += 1)}`;
    const actor = actorOf(at);
    const own = this.records[at]?.context.get(actor) ?? 0;
    const stamp = Math.max(
      (this.#clocks[at] ?? 0) + 1,
      own + 1,
      (seen.context.get(actor) ?? 0) + 1,
    );
    this.#clocks[at] = stamp;
    const record = write(this.records[at], { replica: at, stamp, name, context: seen.context });
    this.records[at] = record;
    this.#past.set(name, seen.past);
    this.events[at] = { names: new Set([...(this.events[at]?.names ?? []), name, ...seen.past]) };
    const told = seenBy(versionOf({ actor, stamp, name }), { context: seen.context, record });
    const past = told === seen.context ? seen.past : new Set([...seen.past, name]);
    this.#seen.push({ context: told, past });
  }

  #read(from: readonly number[]): void {
    const held = from.map((i) => this.records[i]).filter((record) => record !== undefined);
    const merged = held.reduce<SiblingsRecord | undefined>(
      (all, next) => merge(all, next),
      undefined,
    );
    const names = new Set(from.flatMap((i) => [...(this.events[i]?.names ?? [])]));
    this.#seen.push({ context: merged?.context ?? NOTHING_SEEN, past: names });
  }

  #send({ from, to }: { from: number; to: number }): void {
    const sent = this.records[from];
    if (sent === undefined) return;
    this.records[to] = merge(this.records[to], sent);
    this.events[to] = {
      names: new Set([...(this.events[to]?.names ?? []), ...(this.events[from]?.names ?? [])]),
    };
  }
}

describe("siblings, against sets of events with their whole past", () => {
  test("no version is lost unless a write that had seen it superseded it, and none stays that was", () => {
    let most = 0;
    forAll(
      [history],
      (steps) => {
        const world = new World().run(steps);
        for (const [i, events] of world.events.entries()) {
          const names = namesOf(world.records[i]);
          most = Math.max(most, names.length);
          expect(names).toEqual(world.live(events));
        }
      },
      2_000,
    );
    expect(most).toBeGreaterThan(3);
  });

  test("merge is commutative, associative and idempotent; equal states have equal bytes", () => {
    forAll(
      [history],
      (steps) => {
        const { records } = new World().run(steps);
        const [a, b, c] = records.filter((record) => record !== undefined);
        if (a === undefined || b === undefined || c === undefined) return;
        const all = [merge(merge(a, b), c), merge(a, merge(b, c)), merge(merge(c, a), merge(b, a))];
        for (const other of all) {
          expect(equalBytes(merge(merge(a, b), c).bytes, other.bytes)).toBe(true);
          expect(digestOf(other)).toBe(digestOf(all[0]));
          for (const part of [a, b, c, other]) expect(merge(other, part)).toBe(other);
        }
        expect(siblings.equal(a, b)).toBe(digestOf(a) === digestOf(b));
      },
      2_000,
    );
  });

  test("a record survives its encoding, and every flipped bit of it is found", () => {
    forAll([history], (steps) => {
      const record = new World().run(steps).records[0];
      if (record === undefined) return;
      const decoded = decodeRecord(KEY, Uint8Array.from(record.bytes));
      expect(decoded.kind === "record" && namesOf(record)).toEqual(
        decoded.kind === "record" && decoded.mode === "siblings" && namesOf(decoded),
      );
      const bit = record.bytes.byteLength * 4;
      expect(decodeRecord(KEY, withBitFlipped(record.bytes, bit)).kind).toBe("damaged");
    });
  });
});

describe("siblings", () => {
  test("buckets of mode siblings merge by it", () => {
    expect(mergeModel("siblings")).toBe(siblings);
  });

  test("an older version that arrives after a newer one of its actor stays beside it", () => {
    const first = write(undefined, { replica: 1, stamp: 1, name: "first" });
    const both = write(first, { replica: 1, stamp: 2, name: "second" });
    expect(namesOf(merge(both, first))).toEqual(["first", "second"]);
    expect(namesOf(merge(first, both))).toEqual(["first", "second"]);
  });

  test("a dot that the record or the context knows is never minted again", () => {
    const record = write(undefined, { replica: 1, stamp: 5, name: "a" });
    expect(() => write(record, { replica: 1, stamp: 5, name: "b" })).toThrow("a dot");
    const context = new Map([[actorOf(1), 9 as Stamp]]);
    expect(() => write(undefined, { replica: 1, stamp: 9, name: "b", context })).toThrow("a dot");
  });

  test("two clients that interleave read, merge and write 100 times leave never more than two siblings", () => {
    let record: SiblingsRecord | undefined;
    let most = 0;
    const seen: CausalContext[] = [NOTHING_SEEN, NOTHING_SEEN];
    for (let i = 0; i < 200; i++) {
      const client = i % 2;
      record = write(record, {
        replica: client,
        stamp: i + 1,
        name: `w${i}`,
        context: seen[client] ?? NOTHING_SEEN,
      });
      most = Math.max(most, record.siblings.length);
      seen[1 - client] = record.context;
    }
    expect(most).toBeLessThanOrEqual(2);
  });

  test("a blind write is not told that it has seen what others superseded", () => {
    const first = write(undefined, { replica: 1, stamp: 1, name: "first" });
    const second = write(first, { replica: 2, stamp: 2, name: "second", context: first.context });
    const atFirst = merge(first, second);
    const version = versionOf({ actor: actorOf(1), stamp: 3, name: "blind" });
    const record = write(atFirst, { replica: 1, stamp: 3, name: "blind" });
    const told = seenBy(version, { context: NOTHING_SEEN, record });
    expect(told).toEqual(NOTHING_SEEN);
    // Or a replica that holds the first alone would discard it and have nothing that superseded it.
    expect(namesOf(write(first, { replica: 3, stamp: 4, name: "next", context: told }))).toEqual([
      "first",
      "next",
    ]);
  });

  test("a writer has seen its own version where its actor's earlier ones are all among what it sent", () => {
    const first = write(undefined, { replica: 1, stamp: 1, name: "first" });
    const version = versionOf({ actor: actorOf(1), stamp: 2, name: "next" });
    const of = { replica: 1, stamp: 2, name: "next", context: first.context };
    const record = write(first, of);
    expect(seenBy(version, { context: first.context, record })).toEqual(record.context);
    const beside = write(first, { ...of, context: NOTHING_SEEN });
    expect(seenBy(version, { context: NOTHING_SEEN, record: beside })).toEqual(NOTHING_SEEN);
  });

  test("what is left beside a write is what its context does not cover", () => {
    const first = write(undefined, { replica: 1, stamp: 1, name: "first" });
    const both = write(first, { replica: 2, stamp: 1, name: "second" });
    expect(survivors(both, first.context).map(({ actor }) => actor)).toEqual([actorOf(2)]);
    expect(survivors(both, both.context)).toEqual([]);
    expect(survivors(undefined, both.context)).toEqual([]);
  });

  test("one dot with two contents converges to the same on all replicas", () => {
    const a = write(undefined, { replica: 1, stamp: 1, name: "a" });
    const b = write(undefined, { replica: 1, stamp: 1, name: "b" });
    expect(equalBytes(merge(a, b).bytes, merge(b, a).bytes)).toBe(true);
  });

  test("a stamp that is not above what is discarded is a damaged format", () => {
    const record = write(undefined, { replica: 1, stamp: 1, name: "a" });
    const body = Uint8Array.from(record.bytes.subarray(0, record.bytes.byteLength - 4));
    const discardedEnd = 3 + record.recent.byteLength + 2 + 12 + 8;
    body[discardedEnd - 1] = 1;
    expect(decodeRecord(KEY, sealed(body))).toEqual({ kind: "damaged", reason: "format" });
    body[discardedEnd - 1] = 0;
    expect(equalBytes(sealed(body), record.bytes)).toBe(true);
  });
});

function sealed(body: Uint8Array): Uint8Array {
  const writer = new ByteWriter();
  writer.bytes(body);
  writer.u32(crc32(body, crc32(KEY)));
  return writer.written();
}
