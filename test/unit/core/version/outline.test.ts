import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { utf8 } from "../../../../src/core/bytes.ts";
import { NOTHING_SEEN } from "../../../../src/core/causal/causal-context.ts";
import { NO_STAMP, stampOfMs } from "../../../../src/core/hlc.ts";
import type { Stamp } from "../../../../src/core/hlc.ts";
import { parseActorId, parseBucketName, parseKey } from "../../../../src/core/ids.ts";
import { recordKey } from "../../../../src/core/record-key.ts";
import { mergeModel } from "../../../../src/core/version/merge.ts";
import { outlineOf } from "../../../../src/core/version/outline.ts";
import { recentOf } from "../../../../src/core/version/recent.ts";
import { decodeRecord } from "../../../../src/core/version/record.ts";
import type { KvRecord } from "../../../../src/core/version/record.ts";
import { supersede } from "../../../../src/core/version/siblings.ts";
import type { SiblingsRecord } from "../../../../src/core/version/siblings-record.ts";
import type { Version } from "../../../../src/core/version/version.ts";
import { isLive } from "../../../../src/core/version/view.ts";
import { writeIdentity } from "../../../../src/core/version/write-identity.ts";
import { collidingVersion, minted } from "../support/arbitraries.ts";
import { forAll } from "../support/for-all.ts";

const KEY = recordKey(parseBucketName("b"), parseKey(utf8("k")));
/** Of their expiries, 1 and 2 ms, some are over at some of them. */
const readings = [NO_STAMP, stampOfMs(1), stampOfMs(2)];

function merged(mode: "lww" | "siblings", records: readonly KvRecord[]): KvRecord | undefined {
  const model = mergeModel(mode);
  return records.reduce<KvRecord | undefined>((all, it) => model.merge(KEY, all, it), undefined);
}

function expectSameLife(mode: "lww" | "siblings", records: readonly KvRecord[]): void {
  const whole = merged(mode, records);
  const outlined = merged(
    mode,
    records.map((record) => outlineOf(KEY, record)),
  );
  for (const reading of readings) {
    expect(outlined && isLive(outlined, reading)).toBe(whole && isLive(whole, reading));
  }
}

const lwwRecords = collidingVersion.map((version) => minted(KEY, version));

/** Histories of one key at three replicas, each write at one of them with what that one has seen. */
interface Step {
  readonly at: number;
  readonly from: number;
  readonly blind: boolean;
  readonly dead: boolean;
  readonly expiresAt: number | undefined;
}
const step: fc.Arbitrary<Step> = fc.record({
  at: fc.nat(2),
  from: fc.nat(2),
  blind: fc.boolean(),
  dead: fc.boolean(),
  expiresAt: fc.constantFrom(undefined, 1, 2),
});

function replicasAfter(steps: readonly Step[]): SiblingsRecord[] {
  const held: (SiblingsRecord | undefined)[] = [undefined, undefined, undefined];
  for (const [i, { at, from, blind, dead, expiresAt }] of steps.entries()) {
    const both = merged(
      "siblings",
      [held[at], held[from]].filter((it) => it !== undefined),
    );
    const before = both?.mode === "siblings" ? both : undefined;
    const version = versionOf({ at, i, dead, expiresAt });
    const identity = writeIdentity({ ...version, ttlSeconds: undefined });
    const context = blind ? NOTHING_SEEN : (before?.context ?? NOTHING_SEEN);
    const recent = recentOf(version.stamp, identity);
    held[at] = supersede(KEY, before, { version, context, recent });
  }
  return held.filter((it) => it !== undefined);
}

function versionOf(of: {
  at: number;
  i: number;
  dead: boolean;
  expiresAt: number | undefined;
}): Version {
  const { at, i, dead, expiresAt } = of;
  return {
    actor: parseActorId(String(at).repeat(24)),
    stamp: (i + 1) as Stamp,
    writeId: `w${i}` as Version["writeId"],
    content: dead
      ? undefined
      : { value: utf8(`value ${i}`), contentType: "text/plain", contentEncoding: undefined },
    expiresAt,
  };
}

describe("the outline of a record", () => {
  test("says of lww records, merged, whether a value is left, at any reading of the clock", () => {
    forAll(
      [fc.array(lwwRecords, { minLength: 1, maxLength: 4 })],
      (records) => {
        expectSameLife("lww", records);
      },
      1_000,
    );
  });

  test("says the same of siblings, with all that replicas superseded meanwhile", () => {
    forAll(
      [fc.array(step, { minLength: 1, maxLength: 8 })],
      (steps) => {
        expectSameLife("siblings", replicasAfter(steps));
      },
      1_000,
    );
  });

  test("is a record as small as if every value were empty", () => {
    const content = { value: new Uint8Array(100_000), contentType: "a", contentEncoding: "b" };
    const record = minted(KEY, {
      ...versionOf({ at: 1, i: 0, dead: false, expiresAt: 5 }),
      content,
    });
    const outline = outlineOf(KEY, record);
    expect(outline.bytes.byteLength).toBeLessThan(60);
    const found = decodeRecord(KEY, outline.bytes);
    expect(found.kind).toBe("record");
    expect(outline.versions[0]).toMatchObject({ stamp: 1, writeId: "w0", expiresAt: 5 });
    expect(outline.versions[0]?.content?.value).toHaveLength(0);
  });
});
