import fc from "fast-check";
import { Histogram, Registry } from "prom-client";
import { expect, test } from "vitest";
import { PlainHistogram } from "../../../src/node/io/plain-histogram.ts";

const SPEC = { name: "h_seconds", help: "h", labelNames: ["a", "b"], buckets: [0.5, 1, 2.5] };

const observation = fc.record({
  labels: fc.tuple(fc.constantFrom("x", "y"), fc.constantFrom('p"q', "\\", "z")),
  value: fc.oneof(
    fc.constantFrom(0, 0.5, 1, 2.5, 2.500_01, 1e9),
    fc.double({ min: 0, max: 5, noNaN: true }),
  ),
});

test("it is scraped as prom-client's own, whatever was observed", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(observation), async (observations) => {
      const [plain, theirs] = [new Registry(), new Registry()];
      const histogram = new PlainHistogram({ ...SPEC, registers: [plain] });
      const oracle = new Histogram({ ...SPEC, registers: [theirs] });
      const series = new Map<string, { observe(value: number): void }>();
      for (const { labels, value } of observations) {
        const id = labels.join("\n");
        const kept = series.get(id) ?? histogram.series(labels);
        series.set(id, kept);
        kept.observe(value);
        oracle.labels(...labels).observe(value);
      }
      expect(await plain.metrics()).toBe(await theirs.metrics());
    }),
  );
});

test("without labels it is there before anything was observed", async () => {
  const registry = new Registry();
  const histogram = new PlainHistogram({ ...SPEC, labelNames: [], registers: [registry] });
  histogram.series([]);
  expect(await registry.metrics()).toContain('h_seconds_bucket{le="+Inf"} 0\n');
  expect(await registry.metrics()).toContain("h_seconds_count 0\n");
});
