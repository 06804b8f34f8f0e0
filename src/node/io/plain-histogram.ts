import { Histogram } from "prom-client";
import type {
  HistogramConfiguration,
  MetricObjectWithValues,
  MetricType,
  MetricValueWithName,
} from "prom-client";

interface Series {
  observe(value: number): void;
}

/** Its types name an enum here, which the package does not have. */
const TYPE = "histogram" as unknown as MetricType;

/**
 * A histogram that counts in plain fields: an operation observes a dozen values, and prom-client's own
 * way costs ten times as much for each.
 */
export class PlainHistogram extends Histogram {
  readonly #spec: HistogramConfiguration<string>;
  readonly #bounds: readonly number[];
  readonly #series: { readonly labels: Record<string, string>; readonly bins: Bins }[] = [];

  constructor(spec: HistogramConfiguration<string>) {
    super(spec);
    this.#spec = spec;
    this.#bounds = spec.buckets ?? [];
  }

  series(values: readonly string[]): Series {
    const names = this.#spec.labelNames ?? [];
    const labels = Object.fromEntries(names.map((name, i) => [name, values[i] ?? ""]));
    const bins = new Bins(this.#bounds);
    this.#series.push({ labels, bins });
    return bins;
  }

  override async get(): Promise<MetricObjectWithValues<MetricValueWithName<string>>> {
    const { name, help } = this.#spec;
    const values = this.#series.flatMap(({ labels, bins }) => {
      let count = 0;
      const bounds = [...this.#bounds, "+Inf"].map((le, i) => {
        count += bins.counts[i] ?? 0;
        return { metricName: `${name}_bucket`, value: count, labels: { le, ...labels } };
      });
      return [
        ...bounds,
        { metricName: `${name}_sum`, value: bins.sum, labels },
        { metricName: `${name}_count`, value: count, labels },
      ];
    });
    return { name, help, type: TYPE, values, aggregator: "sum", collect: () => {} };
  }

  /** What the registry calls in place of `get` where there is one. */
  getForPromString(): Promise<MetricObjectWithValues<MetricValueWithName<string>>> {
    return this.get();
  }
}

/** How many observations fell under each bound and above all of them. */
class Bins implements Series {
  readonly counts: Float64Array;
  sum = 0;
  readonly #bounds: readonly number[];

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const found = this.#bounds.findIndex((bound) => value <= bound);
    const bin = found === -1 ? this.#bounds.length : found;
    this.counts[bin] = (this.counts[bin] ?? 0) + 1;
    this.sum += value;
  }
}
