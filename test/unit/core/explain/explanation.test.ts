import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Answer } from "../../../../src/core/answer.ts";
import { defaultBucketProperties } from "../../../../src/core/bucket-properties.ts";
import { utf8 } from "../../../../src/core/bytes.ts";
import { NOTHING_SEEN } from "../../../../src/core/causal/causal-context.ts";
import type { CausalContext } from "../../../../src/core/causal/causal-context.ts";
import { explain } from "../../../../src/core/explain/explanation.ts";
import type { Answers, Explanation } from "../../../../src/core/explain/explanation.ts";
import { FORECAST_REPLICAS_MAX } from "../../../../src/core/explain/read-forecast.ts";
import { stampOfMs } from "../../../../src/core/hlc.ts";
import type { Stamp } from "../../../../src/core/hlc.ts";
import { parseActorId, parseBucketName, parseKey, parseWriteId } from "../../../../src/core/ids.ts";
import type { NodeId } from "../../../../src/core/ids.ts";
import type { ReadAnswer } from "../../../../src/core/messages/answer.ts";
import { recordKey } from "../../../../src/core/record-key.ts";
import { dotText } from "../../../../src/core/version/dot.ts";
import { lww } from "../../../../src/core/version/lww.ts";
import { recentOf } from "../../../../src/core/version/recent.ts";
import { digestOf } from "../../../../src/core/version/record.ts";
import type { KvRecord } from "../../../../src/core/version/record.ts";
import { siblings, supersede } from "../../../../src/core/version/siblings.ts";
import type { SiblingsRecord } from "../../../../src/core/version/siblings-record.ts";
import type { Version } from "../../../../src/core/version/version.ts";
import { writeIdentity } from "../../../../src/core/version/write-identity.ts";
import { minted, nodeIds, subsets } from "../support/arbitraries.ts";
import { forAll } from "../support/for-all.ts";
import { answerOf } from "../support/rounds.ts";

const KEY = recordKey(parseBucketName("default"), parseKey(utf8("k")));

/** The fifth write of a key, say, by one of two actors: every odd one a delete, some with an end. */
function write(nth: number, fields: Partial<Version> = {}): Version {
  const deleted = nth % 2 === 1;
  return {
    stamp: stampOfMs(nth),
    actor: parseActorId((nth % 3 === 0 ? "a" : "b").repeat(24)),
    writeId: parseWriteId(`w${nth}`),
    content: deleted
      ? undefined
      : { value: utf8(`value ${nth}`), contentType: "text/plain", contentEncoding: undefined },
    expiresAt: !deleted && nth % 4 === 0 ? nth + 3 : undefined,
    ...fields,
  };
}

/** What a replica holds that has merged these writes. */
function holding(...versions: readonly Version[]): KvRecord | undefined {
  return versions
    .map((version) => minted(KEY, version))
    .reduce<KvRecord | undefined>((all, record) => lww.merge(KEY, all, record), undefined);
}

const clock = fc.nat(12).map(stampOfMs);
const held = fc
  .uniqueArray(fc.nat(8), { maxLength: 4 })
  .map((nths) => holding(...nths.map((nth) => write(nth))));
const answersOf = fc
  .array(answerOf<ReadAnswer>(fc.record({ record: held, clock })), { minLength: 1, maxLength: 5 })
  .map((all) => new Map(nodeIds(all.length).map((node, i) => [node, all[i] ?? SILENT] as const)));
const SILENT: Answer<ReadAnswer> = { kind: "unknown", reason: "deadline" };

function answering(
  at: Stamp,
  ...records: readonly (KvRecord | undefined)[]
): ReadonlyMap<NodeId, Answer<ReadAnswer>> {
  return new Map(
    nodeIds(records.length).map((node, i) => [
      node,
      { kind: "ok", value: { record: records[i], clock: at } },
    ]),
  );
}

/** The newest of all, by the first of the rules alone: no two writes here have one stamp. */
function newestOf(records: readonly (KvRecord | undefined)[]): Version | undefined {
  return records
    .flatMap((record) => record?.versions ?? [])
    .toSorted((a, b) => b.stamp - a.stamp)[0];
}

interface Asked extends Answers {
  readonly answers: ReadonlyMap<NodeId, Answer<ReadAnswer>>;
}

function asked(
  answers: ReadonlyMap<NodeId, Answer<ReadAnswer>>,
  fields: { readonly w?: number; readonly background?: boolean; readonly clock?: Stamp } = {},
): Asked {
  const n = answers.size;
  const { w = 1, background = false, clock: own = stampOfMs(5) } = fields;
  const readRepair = background ? "background" : "blocking";
  const properties = { ...defaultBucketProperties(n), n, w: Math.min(w, n), readRepair } as const;
  return { key: KEY, properties, clock: own, answers };
}

/** One line for each set of R replicas and what it comes to, counted out the slow way. */
function naiveReads({ answers, properties, clock: own }: Asked): readonly string[] {
  const { n, w, readRepair } = properties;
  const repairable = [...answers.values()].filter(
    (answer) =>
      answer.kind === "ok" ||
      answer.reason === "damaged-record" ||
      answer.reason === "resynchronising",
  ).length;
  const ok = [...answers].flatMap(([node, answer]) =>
    answer.kind === "ok" ? [{ node, ...answer.value }] : [],
  );
  const lines = subsets(ok).flatMap((set) => {
    if (set.length === 0) return [];
    const newest = newestOf(set.map(({ record }) => record));
    const differ = new Set(set.map(({ record }) => digestOf(record))).size > 1;
    const holders = Math.max(w, n - set.length + 1, set.length);
    const now = Math.max(own, ...set.map((it) => it.clock));
    const over = newest?.expiresAt !== undefined && stampOfMs(newest.expiresAt) <= now;
    const seen =
      newest === undefined
        ? "absent"
        : newest.content === undefined
          ? "deleted"
          : over
            ? "expired"
            : "found";
    const unconfirmed = differ && readRepair === "blocking" && repairable < holders;
    const outcome = unconfirmed ? "read-unconfirmed" : seen;
    const version = newest === undefined ? "" : dotText(newest);
    return [`${set.map(({ node }) => node).join()}: ${outcome} ${version} ${differ}`];
  });
  const impossible = Array.from({ length: n - ok.length }, () => ": read-unavailable  false");
  return [...lines, ...impossible].toSorted();
}

function linesOf({ reads }: Explanation): readonly string[] | undefined {
  return reads
    ?.flatMap(({ results }) =>
      results.flatMap(({ outcome, versions, repairs, from }) =>
        (from.length === 0 ? [[]] : from).map(
          (set) => `${set.join()}: ${outcome} ${versions.map(dotText).join()} ${repairs}`,
        ),
      ),
    )
    .toSorted();
}

describe("what reads would return", () => {
  test("is for every R and every set of R replicas what counting it out comes to", () => {
    const inputs: [
      fc.Arbitrary<Map<NodeId, Answer<ReadAnswer>>>,
      fc.Arbitrary<Stamp>,
      fc.Arbitrary<number>,
      fc.Arbitrary<boolean>,
    ] = [answersOf, clock, fc.integer({ min: 1, max: 5 }), fc.boolean()];
    forAll(
      inputs,
      (answers, own, w, background) => {
        const input = asked(answers, { w, background, clock: own });
        expect(linesOf(explain(input))).toEqual(naiveReads(input));
      },
      1_000,
    );
  });

  test("names each outcome once for an R and a repair", () => {
    forAll([answersOf], (answers) => {
      for (const { results } of explain(asked(answers)).reads ?? []) {
        const names = results.map(({ outcome, versions, repairs }) =>
          JSON.stringify([outcome, versions, repairs]),
        );
        expect(new Set(names).size).toBe(names.length);
      }
    });
  });

  test(`is left out above ${FORECAST_REPLICAS_MAX} replicas that answer, where its sets are too many`, () => {
    const many = (n: number) => answering(stampOfMs(1), ...nodeIds(n).map(() => undefined));
    expect(explain(asked(many(FORECAST_REPLICAS_MAX))).reads).toHaveLength(FORECAST_REPLICAS_MAX);
    expect(explain(asked(many(FORECAST_REPLICAS_MAX + 1))).reads).toBeUndefined();
  });
});

describe("siblings", () => {
  const SIBLINGS = { ...defaultBucketProperties(3), mode: "siblings" } as const;

  function written(
    before: SiblingsRecord | undefined,
    version: Version,
    context: CausalContext = NOTHING_SEEN,
  ): SiblingsRecord {
    const identity = writeIdentity({ ...version, ttlSeconds: undefined });
    return supersede(KEY, before, {
      version,
      context,
      recent: recentOf(version.stamp, identity),
    });
  }

  const a = written(undefined, write(2, { actor: parseActorId("a".repeat(24)) }));
  const b = written(undefined, write(4, { actor: parseActorId("b".repeat(24)) }));
  const both = siblings.merge(KEY, a, b);
  const after = written(a, write(6, { actor: parseActorId("a".repeat(24)) }), a.context);
  const again = written(undefined, write(2, { actor: parseActorId("b".repeat(24)) }));

  const explainAll = (...records: readonly (KvRecord | undefined)[]): Explanation =>
    explain({
      key: KEY,
      properties: { ...SIBLINGS, n: records.length },
      clock: stampOfMs(5),
      answers: answering(stampOfMs(5), ...records),
    });

  test.each([
    ["each holds one", [a, b], ["concurrent", "concurrent"]],
    ["a third holds both", [a, b, both], ["behind", "behind", "equal"]],
    ["one holds nothing", [a, undefined], ["equal", "absent"]],
    ["one holds what superseded the other's", [a, after], ["behind", "equal"]],
    ["one holds a newer and lacks another's", [after, b], ["concurrent", "concurrent"]],
  ] as const)("%s", (_name, records, relations) => {
    const told = explainAll(...records).replicas;
    expect(told.map((it) => it.failure === undefined && it.relation)).toEqual(relations);
  });

  test("are what a read of both returns, and repaired by it", () => {
    const { newest, reads } = explainAll(a, b);
    expect(newest).toHaveLength(2);
    const [one, two] = reads ?? [];
    expect(one?.results.map(({ outcome, versions }) => [outcome, versions.length])).toEqual([
      ["found", 1],
      ["found", 1],
    ]);
    expect(two?.results).toMatchObject([{ outcome: "siblings", repairs: true }]);
    expect(two?.results[0]?.versions).toHaveLength(2);
  });

  test("of one write id are one to a reader", () => {
    const [, two] = explainAll(a, again).reads ?? [];
    expect(two?.results).toMatchObject([{ outcome: "found", repairs: true }]);
  });
});

describe("what replicas hold", () => {
  test("stands to the newest as the newest of all stamps says, and failures keep their reason", () => {
    forAll(
      [answersOf],
      (answers) => {
        const { replicas, newest } = explain(asked(answers));
        const records = [...answers.values()].flatMap((answer) =>
          answer.kind === "ok" ? [answer.value.record] : [],
        );
        const expected = newestOf(records);
        expect(newest.map(dotText)).toEqual(expected === undefined ? [] : [dotText(expected)]);
        const merged = records.reduce<KvRecord | undefined>(
          (all, record) => (record === undefined ? all : lww.merge(KEY, all, record)),
          undefined,
        );
        const told = replicas.map((it) =>
          it.failure === undefined ? [it.node, it.relation, it.inSync] : [it.node, it.failure],
        );
        const counted = [...answers].map(([node, answer]) => {
          if (answer.kind !== "ok") return [node, answer];
          const { record } = answer.value;
          const behind = record === undefined ? "absent" : "behind";
          const relation = record?.stamp === expected?.stamp ? "equal" : behind;
          return [node, relation, digestOf(record) === digestOf(merged)];
        });
        expect(told).toEqual(counted);
      },
      500,
    );
  });

  test("is told but for the value: sizes, write id, end by each clock, remembered writes", () => {
    const record = holding(write(2), write(4));
    const input = asked(answering(stampOfMs(6), record), { clock: stampOfMs(7) });
    expect(explain(input).replicas).toEqual([
      {
        node: "n1",
        failure: undefined,
        clock: stampOfMs(6),
        relation: "equal",
        inSync: true,
        record: {
          bytes: record?.bytes.byteLength,
          digest: expect.stringMatching(/^[0-9a-f]{16}$/),
          recentWrites: 2,
          versions: [
            {
              actor: "b".repeat(24),
              stamp: stampOfMs(4),
              writeId: "w4",
              content: { bytes: 7, contentType: "text/plain", contentEncoding: undefined },
              expiresAt: 7,
              expiredBy: ["coordinator"],
            },
          ],
        },
      },
    ]);
  });

  test("of one version differs where one replica remembers fewer writes: equal, not in sync, repaired", () => {
    const both = [holding(write(2), write(6)), holding(write(6))];
    const { replicas, reads } = explain(asked(answering(stampOfMs(1), ...both)));
    expect(replicas.map((it) => it.failure === undefined && [it.relation, it.inSync])).toEqual([
      ["equal", true],
      ["equal", false],
    ]);
    expect(reads?.map(({ results }) => results.map(({ repairs }) => repairs))).toEqual([
      [false],
      [true],
    ]);
  });
});
