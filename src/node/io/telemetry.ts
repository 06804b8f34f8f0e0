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

function instruments(registry: Registry): Metrics {
  const families = Object.entries(METRICS).map(([name, spec]) => {
    const config = {
      name: spec.name,
      help: spec.help,
      labelNames: [...spec.labels],
      registers: [registry],
    };
    switch (spec.kind) {
      case "counter": {
        const counter = new Counter(config);
        return [
          name,
          family(spec.labels, (values) => {
            const child = counter.labels(...values);
            return { add: (amount = 1) => child.inc(amount) };
          }),
        ];
      }
      case "gauge": {
        const gauge = new Gauge(config);
        return [
          name,
          family(spec.labels, (values) => {
            const child = gauge.labels(...values);
            return { set: (value: number) => child.set(value) };
          }),
        ];
      }
      case "histogram": {
        const histogram = new Histogram({ ...config, buckets: [...spec.buckets] });
        return [
          name,
          family(spec.labels, (values) => {
            const child = histogram.labels(...values);
            return { observe: (value: number) => child.observe(value) };
          }),
        ];
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
