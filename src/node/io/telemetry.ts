import { destination, pino } from "pino";
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import { METRICS } from "../../ports/telemetry.ts";
import type { MetricName, Metrics, Telemetry } from "../../ports/telemetry.ts";

export interface SystemTelemetry extends Telemetry {
  /** The metrics in Prometheus' text format and its content type. */
  scrape(): Promise<{ body: string; contentType: string }>;
  /** Writes out what is buffered; the last thing that a process does. */
  flush(): void;
}

/** pino to standard output, prom-client behind `/metrics`. */
export function systemTelemetry(opts: {
  level: string;
  base: Readonly<Record<string, string>>;
}): SystemTelemetry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const out = destination({ dest: 1, sync: true });
  const log = pino(
    {
      level: opts.level,
      base: opts.base,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      redact: ["secret", "*.secret", "headers.authorization"],
    },
    out,
  );
  return {
    log,
    metrics: instruments(registry),
    async scrape() {
      return { body: await registry.metrics(), contentType: registry.contentType };
    },
    flush: () => out.flushSync(),
  };
}

/** Hot paths count in plain fields; prom-client learns the numbers when somebody scrapes. */
function instruments(registry: Registry): Metrics {
  const families = Object.entries(METRICS).map(([name, spec]) => {
    const { name: promName, help, labels } = spec;
    const config = { name: promName, help, labelNames: [...labels], registers: [registry] };
    switch (spec.kind) {
      case "counter": {
        const publishers: (() => void)[] = [];
        const collect = (): void => publishers.forEach((publish) => publish());
        const counter = new Counter({ ...config, collect });
        const make = (values: readonly string[]) => {
          const child = counter.labels(...values);
          let unpublished = 0;
          publishers.push(() => {
            child.inc(unpublished);
            unpublished = 0;
          });
          return { add: (amount = 1) => (unpublished += amount) };
        };
        return [name, family(labels, make)];
      }
      case "gauge": {
        const publishers: (() => void)[] = [];
        const collect = (): void => publishers.forEach((publish) => publish());
        const gauge = new Gauge({ ...config, collect });
        const make = (values: readonly string[]) => {
          const child = gauge.labels(...values);
          let current = 0;
          publishers.push(() => child.set(current));
          return { set: (value: number) => (current = value) };
        };
        return [name, family(labels, make)];
      }
      case "histogram": {
        const histogram = new Histogram({ ...config, buckets: [...spec.buckets] });
        const make = (values: readonly string[]) => {
          const child = histogram.labels(...values);
          return { observe: (value: number) => child.observe(value) };
        };
        return [name, family(labels, make)];
      }
    }
  });
  // The entries are METRICS', one by one, so the object has exactly its names.
  return Object.fromEntries(families) as Metrics & Record<MetricName, unknown>;
}

/** Remembers the instrument of each combination of labels: the hot path pays one Map look-up. */
function family<I>(labels: readonly string[], make: (values: readonly string[]) => I) {
  const byLabels = new Map<string, I>();
  if (labels.length === 0) byLabels.set("", make([]));
  return {
    with(...values: readonly string[]): I {
      const id = values.length < 2 ? (values[0] ?? "") : values.join("\n");
      let instrument = byLabels.get(id);
      if (instrument === undefined) {
        instrument = make(values);
        byLabels.set(id, instrument);
      }
      return instrument;
    },
  };
}
