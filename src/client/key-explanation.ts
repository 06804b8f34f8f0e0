import { jsonObject, refusalOf } from "./answer.ts";
import type { Refusal } from "./answer.ts";
import type { HttpAnswer } from "./exchange.ts";

/** Where a key lives, as the node that was asked sees it. */
export interface KeyPlacement {
  /** The node that was asked. */
  readonly node: string;
  readonly partition: number;
  readonly epoch: number;
  readonly epochHash: string;
  readonly mode: string;
  readonly n: number;
  readonly r: number;
  readonly w: number;
  readonly readRepair: string;
  readonly preferenceList: readonly PlacedReplica[];
}

export interface PlacedReplica {
  readonly node: string;
  readonly zone: string | null;
  readonly peerAddress: string;
  /** `self`, `connected`, `suspect` or `unreachable`; a newer node may know more. */
  readonly state: string;
  /** Why it is not simply reachable. */
  readonly reason: string | null;
}

/** What each replica holds, and what reads would return. No quorum vouches for it. */
export interface KeyExplanation extends KeyPlacement {
  /** Of the node that was asked, ISO 8601. */
  readonly clock: string;
  /** Dots of the newest versions that any replica told of. */
  readonly newest: readonly string[];
  /** In the order of the preference list. */
  readonly replicas: readonly ExplainedReplica[];
  /** For R from 1 to N; null: the replicas are too many. */
  readonly reads: readonly ExplainedReads[] | null;
}

export interface ExplainedReplica {
  readonly node: string;
  /** `ok`, else `refused` or `unknown` for the `reason`. */
  readonly answer: string;
  readonly reason: string | null;
  readonly clock: string | null;
  /** `equal`, `behind`, `concurrent` or `absent`; null: it did not answer. */
  readonly relation: string | null;
  /** It holds all that is known, what is remembered of superseded writes included. */
  readonly inSync: boolean;
  /** null: it holds nothing, or did not answer. */
  readonly record: ExplainedRecord | null;
}

export interface ExplainedRecord {
  readonly bytes: number;
  readonly digest: string;
  readonly recentWrites: number;
  readonly versions: readonly ExplainedVersion[];
}

export interface ExplainedVersion {
  readonly dot: string;
  /** When it was stamped, ISO 8601, and which of that millisecond. */
  readonly time: string;
  readonly counter: number;
  readonly writeId: string;
  readonly tombstone: boolean;
  /** null: a tombstone. */
  readonly valueBytes: number | null;
  readonly contentType: string | null;
  readonly contentEncoding: string | null;
  readonly expiresAt: string | null;
  /** `replica`, `coordinator`: by whose clock it is over. */
  readonly expiredBy: readonly string[];
}

export interface ExplainedReads {
  readonly r: number;
  readonly results: readonly ExplainedRead[];
}

export interface ExplainedRead {
  /** `found`, `siblings`, `deleted`, `expired`, `absent`, or the code of the error. */
  readonly outcome: string;
  readonly versions: readonly string[];
  readonly repairs: boolean;
  /** The sets of R replicas whose answers come to this. */
  readonly from: readonly (readonly string[])[];
}

type Interpreted<T> = { readonly value: T } | Refusal;

export function interpretPlacement(answer: HttpAnswer): Interpreted<KeyPlacement> {
  return interpret(answer, ["preferenceList"]);
}

export function interpretExplanation(answer: HttpAnswer): Interpreted<KeyExplanation> {
  return interpret(answer, ["preferenceList", "newest", "replicas"]);
}

function interpret<T>(answer: HttpAnswer, lists: readonly string[]): Interpreted<T> {
  const fields = answer.status === 200 ? jsonObject(answer.body) : undefined;
  const looksRight =
    fields !== undefined &&
    ["partition", "epoch", "n"].every((name) => typeof fields.get(name) === "number") &&
    lists.every((name) => Array.isArray(fields.get(name)));
  return looksRight ? { value: Object.fromEntries(fields) as unknown as T } : refusalOf(answer);
}
