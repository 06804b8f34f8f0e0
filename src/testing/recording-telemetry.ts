import { assert } from "../core/assert.ts";
import { METRICS } from "../ports/telemetry.ts";
import type { LogFields, Logger, MetricName, Metrics, Telemetry } from "../ports/telemetry.ts";

export interface LogLine {
  readonly level: "error" | "warn" | "info" | "debug";
  readonly fields: LogFields;
  readonly message: string;
}

type NameOf<Kind> = {
  [K in MetricName]: (typeof METRICS)[K]["kind"] extends Kind ? K : never;
}[MetricName];

const METRIC_NAMES = Object.keys(METRICS) as readonly MetricName[];

/** Keeps what a node counts and logs, for tests to read. */
export class RecordingTelemetry implements Telemetry {
  readonly lines: LogLine[] = [];
  readonly log: Logger = {
    error: (fields, message) => this.#note({ level: "error", fields, message }),
    warn: (fields, message) => this.#note({ level: "warn", fields, message }),
    info: (fields, message) => this.#note({ level: "info", fields, message }),
    debug: (fields, message) => this.#note({ level: "debug", fields, message }),
  };
  readonly metrics: Metrics;
  readonly #numbers = new Map<string, number>();
  readonly #observations = new Map<string, number[]>();

  constructor() {
    const families = METRIC_NAMES.map((metric) => [
      metric,
      { with: (...labels: readonly string[]) => this.#instrument(seriesId(metric, labels)) },
    ]);
    // The entries are METRICS', one by one, and each instrument is all three kinds at once.
    this.metrics = Object.fromEntries(families) as Metrics & Record<MetricName, unknown>;
  }

  /** What a counter has come to, 0 when nobody touched it. */
  count(metric: NameOf<"counter">, ...labels: readonly string[]): number {
    return this.#numbers.get(seriesId(metric, labels)) ?? 0;
  }

  gauge(metric: NameOf<"gauge">, ...labels: readonly string[]): number | undefined {
    return this.#numbers.get(seriesId(metric, labels));
  }

  observations(metric: NameOf<"histogram">, ...labels: readonly string[]): readonly number[] {
    return this.#observations.get(seriesId(metric, labels)) ?? [];
  }

  #note(line: LogLine): void {
    this.lines.push(line);
  }

  #instrument(id: string) {
    return {
      add: (amount = 1) => void this.#numbers.set(id, (this.#numbers.get(id) ?? 0) + amount),
      set: (value: number) => void this.#numbers.set(id, value),
      observe: (value: number) => {
        const values = this.#observations.get(id);
        if (values === undefined) this.#observations.set(id, [value]);
        else values.push(value);
      },
    };
  }
}

function seriesId(metric: MetricName, labels: readonly string[]): string {
  const named = METRICS[metric].labels;
  assert(labels.length === named.length, `${metric} has ${named.length} labels`);
  return [metric, ...labels].join("\n");
}
