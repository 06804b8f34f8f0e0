import type { ExplainedVersion, KeyExplanation } from "../../client/key-explanation.ts";

/** Letters for the versions of a key, so that tables can speak of them: A is the newest. */
export class VersionLabels {
  /** Newest first, each once, whoever holds it. */
  readonly versions: readonly ExplainedVersion[];
  readonly #labels: ReadonlyMap<string, string>;

  constructor({ replicas, newest }: Pick<KeyExplanation, "replicas" | "newest">) {
    const byDot = new Map(
      replicas
        .flatMap(({ record }) => record?.versions ?? [])
        .map((version) => [version.dot, version] as const),
    );
    this.versions = [...byDot.values()].toSorted(
      (a, b) =>
        Number(newest.includes(b.dot)) - Number(newest.includes(a.dot)) ||
        (a.time === b.time ? b.counter - a.counter : a.time < b.time ? 1 : -1),
    );
    this.#labels = new Map(this.versions.map(({ dot }, index) => [dot, letters(index)]));
  }

  of(dots: readonly string[]): string {
    const known = dots.map((dot) => this.#labels.get(dot) ?? "?");
    return known.toSorted().join(" ");
  }
}

/** A to Z, then AA, AB, … */
function letters(index: number): string {
  const last = String.fromCharCode(0x41 + (index % 26));
  return index < 26 ? last : letters(Math.floor(index / 26) - 1) + last;
}
