import { Evidence } from "./evidence.ts";
import type { Checker, Operation } from "./history.ts";
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
  return (history) => {
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
  latest(operation: Operation): number {
    return endOf(operation) + this.#greatest + GRANULARITY;
  }

  /** Of any R clocks the greatest showed at least this. */
  earliest({ call, r }: Operation): number {
    return call + (this.#least[r - 1] ?? -Infinity) - GRANULARITY;
  }
}

/** What is known of when one version is to vanish. */
interface Lifetime {
  /** Who told the expiry. */
  readonly teller: Operation | undefined;
  readonly expiresAt: number | undefined;
  /** Of the gets that reported it expired the one that ended first. */
  readonly firstGone: Operation | undefined;
}

function checkVersion(
  key: KeyHistory,
  version: VersionHistory,
  bounds: Bounds,
  evidence: Evidence,
): void {
  const life = lifetimeOf(version);
  if (life.expiresAt === undefined && life.firstGone === undefined) return;
  for (const read of version.reads) {
    evidence.examine();
    const sentence = objection(read, life, bounds);
    if (sentence === undefined) continue;
    const concerned = [version.attempted, life.teller, life.firstGone, read];
    evidence.violation(key.key, concerned, () => `${wording(read)} ${sentence}.`);
  }
}

function lifetimeOf({ attempts, reads }: VersionHistory): Lifetime {
  const teller = [...attempts, ...reads].find((it) => it.expiresAt !== undefined);
  let firstGone: Operation | undefined;
  for (const read of reads) {
    if (!read.expired) continue;
    if (firstGone === undefined || endOf(read) < endOf(firstGone)) firstGone = read;
  }
  return { teller, expiresAt: teller?.expiresAt, firstGone };
}

function objection(
  read: Operation,
  { teller, expiresAt, firstGone }: Lifetime,
  bounds: Bounds,
): string | undefined {
  if (expiresAt !== undefined && (read.expiresAt ?? expiresAt) !== expiresAt) {
    return `says that it expires at ${read.expiresAt}, ${wording(teller)} that it does at ${expiresAt}`;
  }
  if (read.expired) {
    const tooEarly = expiresAt !== undefined && bounds.latest(read) < expiresAt;
    return tooEarly ? `reports as expired what expires at ${expiresAt}` : undefined;
  }
  if (expiresAt !== undefined && bounds.earliest(read) >= expiresAt) {
    return `returns what expired at ${expiresAt}`;
  }
  if (firstGone !== undefined && bounds.earliest(read) > bounds.latest(firstGone)) {
    return `returns what ${wording(firstGone)} reported as expired`;
  }
  return undefined;
}

function endOf({ end = Infinity }: Operation): number {
  return end;
}
