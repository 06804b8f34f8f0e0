import { Evidence } from "./evidence.ts";
import type { Finding, History, Operation } from "./history.ts";
import { indexed } from "./indexed-history.ts";
import type { LogicalWrite, WritesOfKey } from "./logical-writes.ts";
import { learnsFrom } from "./version-history.ts";
import { quoted, wording } from "./wording.ts";

/** A record remembers so many of the newest writes that it merged. */
const RECENT_MAX = 16;
/** And those within 10 minutes of its newest stamp: 2,048 stamps a millisecond. */
const RECENT_STAMPS = 10 * 60_000 * 2_048;

/**
 * A retry within the window of what a record remembers has one effect: an attempt that is called
 * after another one of the same write had been acknowledged by a W quorum finds it, and is
 * acknowledged with its stamp instead of being minted again. So every stamp of a write was minted by
 * an attempt that was called before the first acknowledgement, or outside the window of it.
 *
 * Retries of a write that is not acknowledged yet may be minted again; that is no violation.
 */
export function oneEffect(history: History): Finding {
  const evidence = new Evidence("one-effect");
  for (const [key, writes] of indexed(history).writes) {
    const ofKey = new Window(writes);
    for (const write of writes.values()) checkWrite(key, { write, ofKey, evidence });
  }
  return evidence.finding();
}

function checkWrite(
  key: string,
  { write, ofKey, evidence }: { write: LogicalWrite; ofKey: Window; evidence: Evidence },
): void {
  if (write.effective.length < 2) return;
  const recognised = write.effective.filter((retry) => ofKey.recognises(write, retry));
  if (recognised.length === 0) return;
  evidence.examine(recognised.length);
  for (const stamp of write.stamps) {
    if (stamp === undefined) continue;
    const suspects = [...write.stampedBy(stamp), ...write.unstamped];
    // Who was told no stamp and called in time may have minted it; of several at most one did.
    if (suspects.length === 0 || suspects.some((it) => !recognised.includes(it))) continue;
    evidence.violation(
      key,
      [...write.effective],
      () =>
        `${quoted(write.id)} took effect again, with stamp ${stamp}, by ${wording(suspects[0])}, although it ` +
        `had been acknowledged: ${write.effective
          .filter((it) => it.outcome === "ok")
          .map((it) => wording(it))
          .join(", ")}.`,
    );
  }
}

/** What the records of one key remember, as far as its writes tell. */
class Window {
  readonly #others: readonly (readonly [LogicalWrite, Operation])[];
  readonly #newest: number;

  constructor(writes: WritesOfKey) {
    const others: (readonly [LogicalWrite, Operation])[] = [];
    let newest = -Infinity;
    for (const write of writes.values()) {
      for (const attempt of write.effective) others.push([write, attempt]);
      for (const stamp of write.stamps) newest = Math.max(newest, stamp ?? -Infinity);
    }
    this.#others = others;
    this.#newest = newest;
  }

  /** Whether the attempt is certain to find that the write has been acknowledged. */
  recognises(write: LogicalWrite, retry: Operation): boolean {
    return write.effective.some(
      (acked) =>
        acked.outcome === "ok" &&
        acked.durability === "sync" &&
        (acked.end ?? Infinity) < retry.call &&
        acked.w >= learnsFrom(retry) &&
        this.#remembers(write, { acked, until: retry.end ?? Infinity }),
    );
  }

  /** Whether few enough writes can have been stamped above the acknowledged one by then. */
  #remembers(write: LogicalWrite, { acked, until }: { acked: Operation; until: number }): boolean {
    const { stamp } = acked;
    if (stamp === undefined || this.#newest - stamp > RECENT_STAMPS) return false;
    let above = 0;
    for (const [other, { stamp: theirs, call }] of this.#others) {
      if (other === write || call > until || (theirs !== undefined && theirs <= stamp)) continue;
      above += 1;
      if (above >= RECENT_MAX) return false;
    }
    return true;
  }
}
