import { checkAll } from "../../../src/checker/check-all.ts";
import type { Finding, Operation } from "../../../src/checker/history.ts";
import { monotonicReads } from "../../../src/checker/monotonic-reads.ts";
import { outcomeHonesty } from "../../../src/checker/outcome-honesty.ts";
import { regular } from "../../../src/checker/regular.ts";
import { unwritten } from "../../../src/checker/unwritten.ts";
import type { KvError } from "../../../src/client/client.ts";

/** A request that takes longer is one that somebody notices. */
export const SLOW_MS = 1_000;

/** An operation with what a history does not tell. */
export interface Entry extends Operation {
  /** When its client gave up or had its answer. */
  readonly over: number;
  /** With which it ended. */
  readonly error: KvError | undefined;
  /** The url of the node that was asked. */
  readonly node: string;
}

export interface Span {
  readonly from: number;
  readonly to: number;
}

/** What all clients of a run saw, on the clock of this process. */
export class Journal {
  readonly entries: Entry[] = [];
  #succeeded = 0;
  #clients = 0;

  /** A number that no other client of this run has. */
  newClient(): number {
    return this.#clients++;
  }

  add(entry: Entry): void {
    this.entries.push(entry);
    if (entry.outcome === "ok") this.#succeeded += 1;
  }

  /** Operations that succeeded so far. */
  get succeeded(): number {
    return this.#succeeded;
  }

  /** Operations that succeeded within the span. */
  succeededIn({ from, to }: Span): number {
    return this.entries.filter(({ outcome, over }) => outcome === "ok" && over >= from && over < to)
      .length;
  }

  get errors(): readonly Entry[] {
    return this.entries.filter(({ error }) => error !== undefined);
  }

  /** Reads that found nothing, of keys that all hold something. */
  get falselyAbsent(): readonly Entry[] {
    return this.entries.filter(
      ({ kind, outcome, version }) => kind === "get" && outcome === "ok" && version === undefined,
    );
  }

  get slow(): readonly Entry[] {
    return this.entries.filter(({ call, over }) => over - call > SLOW_MS);
  }

  get worstMs(): number {
    return this.entries.reduce((worst, { call, over }) => Math.max(worst, over - call), 0);
  }

  /** What the promises to clients come to, but for those that only dumps of replicas can tell. */
  findings(): readonly Finding[] {
    const history = { operations: this.entries.map(operationOf), replicas: [] };
    return checkAll(history, [unwritten, outcomeHonesty, regular, monotonicReads]);
  }
}

function operationOf({ over: _over, error: _error, node: _node, ...operation }: Entry): Operation {
  return operation;
}

/** The sentences of all broken promises; none is the wish. */
export function violations(findings: readonly Finding[]): readonly string[] {
  return findings.flatMap(({ checker, violations: broken }) =>
    broken.map(({ key, sentence }) => `${checker}, ${key}: ${sentence}`),
  );
}
