import { describe, expect, test } from "vitest";
import { METRICS } from "../../src/ports/telemetry.ts";
import type { MetricName, Telemetry } from "../../src/ports/telemetry.ts";

export interface TelemetryHarness {
  readonly telemetry: Telemetry;
  /** What an observer sees of one series: a counter's or gauge's value, a histogram's count. */
  readonly read: (metric: MetricName, labels: readonly string[]) => Promise<number | undefined>;
}

/** The contract of Telemetry, as far as an observer can see it. */
export function telemetrySuite(name: string, makeHarness: () => TelemetryHarness): void {
  describe(`telemetry: ${name}`, () => {
    test("every metric of the table has an instrument of its kind", () => {
      const { metrics } = makeHarness().telemetry;
      for (const [metric, spec] of Object.entries(METRICS)) {
        const family: { with(...labels: string[]): object } = metrics[metric as MetricName];
        const instrument = family.with(...spec.labels.map((label) => `a-${label}`));
        const method = { counter: "add", gauge: "set", histogram: "observe" }[spec.kind];
        expect(instrument).toHaveProperty(method);
      }
    });

    test("a counter adds 1 or the amount, each combination of labels on its own", async () => {
      const { telemetry, read } = makeHarness();
      telemetry.metrics.requests.with("read", "lww", "ok").add();
      telemetry.metrics.requests.with("read", "lww", "ok").add(4);
      telemetry.metrics.requests.with("write", "lww", "ok").add(2);
      expect(await read("requests", ["read", "lww", "ok"])).toBe(5);
      expect(await read("requests", ["write", "lww", "ok"])).toBe(2);
    });

    test("label values do not run into each other", async () => {
      const { telemetry, read } = makeHarness();
      telemetry.metrics.replicaAnswers.with("a", "b-c", "ok").add(1);
      telemetry.metrics.replicaAnswers.with("a-b", "c", "ok").add(2);
      expect(await read("replicaAnswers", ["a", "b-c", "ok"])).toBe(1);
      expect(await read("replicaAnswers", ["a-b", "c", "ok"])).toBe(2);
    });

    test("an instrument may be kept and goes on counting after it was read", async () => {
      const { telemetry, read } = makeHarness();
      const counter = telemetry.metrics.refused.with("readQueueMax");
      counter.add();
      expect(await read("refused", ["readQueueMax"])).toBe(1);
      counter.add();
      telemetry.metrics.refused.with("readQueueMax").add();
      expect(await read("refused", ["readQueueMax"])).toBe(3);
    });

    test("a gauge shows what it was set to last", async () => {
      const { telemetry, read } = makeHarness();
      telemetry.metrics.peerConnected.with("n2").set(1);
      telemetry.metrics.peerConnected.with("n2").set(0);
      telemetry.metrics.peerConnected.with("n3").set(1);
      telemetry.metrics.inflightRequests.with().set(7);
      expect(await read("peerConnected", ["n2"])).toBe(0);
      expect(await read("peerConnected", ["n3"])).toBe(1);
      expect(await read("inflightRequests", [])).toBe(7);
    });

    test("a histogram takes observations", async () => {
      const { telemetry, read } = makeHarness();
      for (const size of [1, 3, 1_000]) telemetry.metrics.commitBatch.with().observe(size);
      telemetry.metrics.commitDuration.with("sync").observe(0.001);
      expect(await read("commitBatch", [])).toBe(3);
      expect(await read("commitDuration", ["sync"])).toBe(1);
    });

    test("the log takes fields and a message at every level", () => {
      const { log } = makeHarness().telemetry;
      for (const level of ["error", "warn", "info", "debug"] as const) {
        expect(() => log[level]({ err: new Error("e"), count: 1 }, "a message")).not.toThrow();
      }
    });
  });
}
