import process from "node:process";
import { destination, pino } from "pino";
import { collectDefaultMetrics, Counter, Gauge, Registry } from "prom-client";
import { METRICS, UNLOGGED } from "../../ports/telemetry.ts";
import type { MetricName, Metrics, Telemetry } from "../../ports/telemetry.ts";
import { PlainHistogram } from "./plain-histogram.ts";

export interface SystemTelemetry extends Telemetry {
  /** Called before every scrape: gauges that cost something are set when somebody looks. */
  onScrape(show: () => void): void;
  /** The metrics in Prometheus' text format and its content type. */
  scrape(): Promise<{ body: string; contentType: string }>;
  /** Writes out what is buffered; the last thing that a process does. */
  flush(): void;
}

/** pino to standard output, prom-client behind `/metrics`. */
export function systemTelemetry(opts: {
  level: string;
  base: Readonly<Record<string, string>>;
  /** Where the log goes instead of standard output. */
  file?: string;
}): SystemTelemetry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const out = destination({ dest: opts.file ?? 1, sync: true });
  const log = pino(
    {
      level: opts.level,
      base: opts.base,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }), log: withoutBytes },
      redact: UNLOGGED.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]),
    },
    out,
  );
  const metrics = instruments(registry);
  metrics.buildInfo.with(opts.base["version"] ?? "unknown", process.version).set(1);
  const shows: (() => void)[] = [];
  return {
    log,
    metrics,
    onScrape: (show) => void shows.push(show),
    async scrape() {
      for (const show of shows) show();
      return { body: await registry.metrics(), contentType: registry.contentType };
    },
    flush: () => out.flushSync(),
  };
}

/** Keys and values are bytes, whatever somebody names them. */
function withoutBytes(fields: Record<string, unknown>): Record<string, unknown> {
  const entries = Object.entries(fields).map(([name, field]) =>
    field instanceof Uint8Array ? [name, `[${field.byteLength} bytes]`] : [name, field],
  );
  return Object.fromEntries(entries) as Record<string, unknown>;
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
        const histogram = new PlainHistogram({ ...config, buckets: [...spec.buckets] });
        return [name, family(labels, (values) => histogram.series(values))];
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
