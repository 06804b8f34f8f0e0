import { describe, expect, test } from "vitest";
import { keyHash, partitionOfRecordKey } from "../../../src/core/record-key.ts";
import type { LogLine } from "../../../src/testing/recording-telemetry.ts";
import { failureOf, LATENCY_MS, VirtualCluster } from "../../support/virtual-cluster.ts";
import { addressOf } from "../../support/virtual-node.ts";
import type { VirtualNode } from "../../support/virtual-node.ts";

const SLOW_MS = 500;

/** Lines on operations; the one with the phases is what is asked for. */
function operationLines({ telemetry }: VirtualNode): readonly LogLine[] {
  return telemetry.lines.filter(({ message }) => message.startsWith("an operation "));
}

async function opened(options = {}) {
  const cluster = await VirtualCluster.open(options);
  const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
  await cluster.run(n1.put("takes the lease", "v"));
  await cluster.time.advance(100);
  return { cluster, n1, n2, n3, key: cluster.keyOf(n1, n2, n3) };
}

describe("a line for an operation (N=3 R=W=2, slow from 500 ms on)", () => {
  test("that is quick and succeeds: none", async () => {
    const { cluster, n1, key } = await opened();
    await cluster.run(n1.put(key, "v"));
    await cluster.run(n1.get(key));
    await cluster.run(n1.get("absent"));
    expect(operationLines(n1)).toEqual([]);
  });

  test("that is slow: which, how long, and where the time went", async () => {
    const { cluster, n1, n2, n3, key } = await opened();
    // Writes wait on both others, as if their disks were slow; the third answers later still.
    cluster.fate = ({ from, leg }) => {
      const isAnswer = leg === "answer" && n1.id !== from;
      if (!isAnswer || cluster.requests.at(-1)?.kind !== "write") return [LATENCY_MS];
      return [from === n2.id ? SLOW_MS : SLOW_MS + 100];
    };
    await cluster.run(n1.put(key, "a secret value", { requestId: "r-1", timeoutMs: 2_000 }));
    const [line, ...others] = operationLines(n1);
    expect(others).toEqual([]);
    expect(line).toEqual({
      level: "info",
      message: "an operation was slow",
      fields: {
        op: "write",
        mode: "lww",
        bucket: "default",
        partition: partitionOfRecordKey(addressOf(key)),
        keyHash: keyHash(addressOf(key)),
        requestId: "r-1",
        durationMs: 503,
        result: "ok",
        phases: [
          { phase: "learn", ms: 2, end: "met", replicas: { n1: 0, n2: 2 } },
          {
            phase: "write",
            ms: 501,
            end: "met",
            replicas: { n1: expect.any(Number), n2: 501, [n3.id]: "silent" },
          },
        ],
      },
    });
  });

  test("of 499 ms: none; of 500 ms: one", async () => {
    for (const [ms, count] of [
      [SLOW_MS - 1, 0],
      [SLOW_MS, 1],
    ] as const) {
      const { cluster, n1, key } = await opened();
      cluster.fate = ({ leg }) => [leg === "answer" ? ms - LATENCY_MS : LATENCY_MS];
      await cluster.run(n1.get(key));
      expect(operationLines(n1)).toHaveLength(count);
    }
  });

  test("that fails: a warning with the reason of each replica", async () => {
    const { cluster, n1, n2, n3, key } = await opened();
    cluster.cut([n1], [n2]);
    cluster.silence([n3]);
    await cluster.errorOf(n1.get(key, { timeoutMs: 200 }));
    const [line] = operationLines(n1);
    expect(line).toMatchObject({ level: "warn", message: "an operation failed" });
    expect(line?.fields).toMatchObject({
      op: "read",
      result: "read-timeout",
      durationMs: 200,
      detail: expect.stringContaining("n2: not-sent"),
      phases: [
        {
          phase: "read",
          ms: 200,
          end: "deadline",
          replicas: { n1: 0, n2: "not-sent", n3: "silent" },
        },
      ],
    });
  });

  test("that goes through a write-back: the rounds in their order", async () => {
    const { cluster, n1, n2, n3, key } = await opened();
    cluster.cut([n1, n2], [n3]);
    await cluster.run(n2.put(key, "v"));
    cluster.heal([n1, n2], [n3]);
    await cluster.connected();
    await cluster.time.advance(1_000);
    cluster.fate = () => [200];
    await cluster.run(n3.get(key, { r: 3, timeoutMs: 5_000 }));
    const phases = operationLines(n3).at(-1)?.fields["phases"] as { phase: string }[];
    expect(phases.map(({ phase }) => phase)).toEqual(["read", "read", "write-back"]);
  });

  test("that fails by a mistake of its client: none", async () => {
    const { cluster, n1, key } = await opened();
    const [writeId, attempt] = ["w" as never, 1];
    await cluster.run(n1.put(key, "v", { writeId, attempt }));
    expect((await cluster.errorOf(n1.put(key, "other", { writeId, attempt }))).code).toBe(
      "write-id-reused",
    );
    expect(operationLines(n1)).toEqual([]);
  });

  test("that mints for siblings: one where it was asked for and one where it was minted", async () => {
    const { cluster, n1, n2, n3, key } = await opened({ bucket: { mode: "siblings" } });
    cluster.silence([n2, n3]);
    await cluster.errorOf(n1.put(key, "v", { timeoutMs: 200 }));
    await cluster.time.advance(1_000);
    const fields = operationLines(n1).map((line) => line.fields);
    expect(new Set(fields.map(({ op }) => op))).toEqual(new Set(["mint", "write"]));
    expect(fields.find(({ op }) => op === "write")).toMatchObject({
      mode: "siblings",
      phases: [{ phase: "mint" }],
    });
    expect(fields.find(({ op }) => op === "mint")).toMatchObject({
      mode: "siblings",
      keyHash: keyHash(addressOf(key)),
      phases: [{ phase: "turn" }, { phase: "learn", end: "deadline" }],
    });
  });

  test("the rate of lines is bounded; those suppressed are counted and told of", async () => {
    const { cluster, n1, n2, n3 } = await opened();
    cluster.silence([n2, n3]);
    const all = Array.from({ length: 80 }, (_, i) =>
      failureOf(n1.get(`k${i}`, { timeoutMs: 100 })),
    );
    await cluster.run(Promise.all(all));
    expect(operationLines(n1)).toHaveLength(50);
    expect(n1.telemetry.count("refused", "operationLinesMax")).toBe(30);
    await cluster.time.advance(1_000);
    await cluster.errorOf(n1.get("k", { timeoutMs: 100 }));
    expect(operationLines(n1).at(-1)?.fields).toMatchObject({ suppressed: 30 });
  });
});
