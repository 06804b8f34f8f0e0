import { Evidence } from "./evidence.ts";
import type { Checker, History, Operation } from "./history.ts";
import { indexed } from "./indexed-history.ts";
import type { KeyHistory } from "./key-history.ts";
import type { VersionHistory } from "./version-history.ts";
import { wording } from "./wording.ts";

/** How far one node's wall clock was ahead of the history's clock during the run, at least and at most. */
export interface ClockRange {
  readonly least: number;
  readonly greatest: number;
}

/** Wall clocks are read in whole units. */
const GRANULARITY = 1;

/**
 * A version with an expiry is absent from then on, as far as clocks agree. The greatest clock of the
 * coordinator and of R replicas judges, so
 *
 * - a get reports it expired only if some clock can have passed the expiry before the get ended;
 * - a get returns it alive only if R clocks can have been before the expiry when the get was called:
 *   the R nodes whose clocks were furthest behind. R−1 wrong clocks revive nothing;
 * - once it was reported expired it is not returned alive again, beyond what clocks differ by. This
 *   needs no knowledge of the expiry itself;
 * - all that is told of one version's expiry is the same.
 *
 * For all other promises a get that was told of an expired version has read that version.
 *
 * @param clocks of all nodes that replicas may be on.
 */
export function expiry(clocks: readonly ClockRange[]): Checker {
  const bounds = new Bounds(clocks);
  return (history: History) => {
    const evidence = new Evidence("expiry");
    for (const key of indexed(history).keys.values()) {
      for (const version of key.versions.values()) checkVersion(key, version, bounds, evidence);
    }
    return evidence.finding();
  };
}

/** What the clocks that may judge a get show for certain, and what they show at most. */
class Bounds {
  readonly #greatest: number;
  readonly #least: readonly number[];

  constructor(clocks: readonly ClockRange[]) {
    this.#greatest = Math.max(0, ...clocks.map(({ greatest }) => greatest));
    this.#least = clocks.map(({ least }) => least).toSorted((a, b) => a - b);
  }

  /** The greatest clock that can have judged. */
  latest({ end = Infinity }: Operation): number {
    return end + this.#greatest + GRANULARITY;
  }

  /** Of any R clocks the greatest showed at least this. */
  earliest({ call, r }: Operation): number {
    return call + (this.#least[r - 1] ?? -Infinity) - GRANULARITY;
  }
}

function checkVersion(
  key: KeyHistory,
  version: VersionHistory,
  bounds: Bounds,
  evidence: Evidence,
): void {
  const teller = [...version.attempts, ...version.reads].find((it) => it.expiresAt !== undefined);
  const expired = version.reads.filter((read) => read.expired);
  if (teller?.expiresAt === undefined && expired.length === 0) return;
  const expiresAt = teller?.expiresAt;
  const first = earliestEnded(expired);
  for (const read of version.reads) {
    evidence.examine();
    if (expiresAt !== undefined && (read.expiresAt ?? expiresAt) !== expiresAt) {
      const told = read.expiresAt;
      evidence.violation(
        key.key,
        [teller, read],
        () =>
          `${wording(read)} says that the version expires at ${told}, ${wording(teller)} says at ${expiresAt}.`,
      );
    } else if (read.expired) {
      if (expiresAt === undefined || bounds.latest(read) >= expiresAt) continue;
      evidence.violation(
        key.key,
        [version.attempted, read],
        () => `${wording(read)} reports as expired what expires at ${expiresAt}.`,
      );
    } else if (expiresAt !== undefined && bounds.earliest(read) >= expiresAt) {
      evidence.violation(
        key.key,
        [version.attempted, read],
        () => `${wording(read)} returns what expired at ${expiresAt}.`,
      );
    } else if (first !== undefined && bounds.earliest(read) > bounds.latest(first)) {
      evidence.violation(
        key.key,
        [first, read],
        () => `${wording(read)} returns what ${wording(first)} reported as expired.`,
      );
    }
  }
}

function earliestEnded(reads: readonly Operation[]): Operation | undefined {
  let first: Operation | undefined;
  for (const read of reads) {
    if (first === undefined || (read.end ?? Infinity) < (first.end ?? Infinity)) first = read;
  }
  return first;
}
