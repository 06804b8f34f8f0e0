import { describe, expect, test } from "vitest";
import { systemTelemetry } from "../../src/node/io/telemetry.ts";
import { METRICS } from "../../src/ports/telemetry.ts";
import type { MetricName } from "../../src/ports/telemetry.ts";
import { RecordingTelemetry } from "../../src/testing/recording-telemetry.ts";
import { telemetrySuite } from "./telemetry.suite.ts";

const silent = () => systemTelemetry({ level: "silent", base: {} });

telemetrySuite("system", () => {
  const telemetry = silent();
  return {
    telemetry,
    async read(metric, labels) {
      const { body } = await telemetry.scrape();
      return valueOf(body, metric, labels);
    },
  };
});

telemetrySuite("recording", () => {
  const telemetry = new RecordingTelemetry();
  return {
    telemetry,
    async read(metric, labels) {
      const name: never = metric as never;
      switch (METRICS[metric].kind) {
        case "counter":
          return telemetry.count(name, ...labels);
        case "gauge":
          return telemetry.gauge(name, ...labels);
        case "histogram":
          return telemetry.observations(name, ...labels).length;
      }
    },
  };
});

describe("the scrape", () => {
  test.each(Object.values(METRICS))("says what $name is and of which type", async (spec) => {
    const { body, contentType } = await silent().scrape();
    expect(contentType).toContain("text/plain");
    expect(body).toContain(`# HELP ${spec.name} ${spec.help}\n`);
    expect(body).toContain(`# TYPE ${spec.name} ${spec.kind}\n`);
  });

  test("a histogram has the table's bounds", async () => {
    const telemetry = silent();
    telemetry.metrics.commitBatch.with().observe(3);
    const { body } = await telemetry.scrape();
    const bounds = [...body.matchAll(/^kv_storage_batch_size_bucket\{le="([^"]+)"\} (\d+)$/gm)];
    expect(bounds.map(([, le]) => le)).toEqual([
      ...METRICS.commitBatch.buckets.map(String),
      "+Inf",
    ]);
    expect(bounds.map(([, , count]) => Number(count))).toEqual([0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
  });

  test("two telemetries of one process count on their own", async () => {
    const [one, other] = [silent(), silent()];
    one.metrics.refused.with("readQueueMax").add();
    const { body } = await other.scrape();
    expect(valueOf(body, "refused", ["readQueueMax"])).toBeUndefined();
  });
});

/** Of one line of Prometheus' text format; of a histogram the line that counts. */
function valueOf(body: string, metric: MetricName, labels: readonly string[]): number | undefined {
  const spec = METRICS[metric];
  const name = spec.kind === "histogram" ? `${spec.name}_count` : spec.name;
  const pairs = spec.labels.map((label, i) => `${label}="${labels[i]}"`).join(",");
  const start = pairs === "" ? `${name} ` : `${name}{${pairs}} `;
  const line = body.split("\n").find((candidate) => candidate.startsWith(start));
  return line === undefined ? undefined : Number(line.slice(start.length));
}
