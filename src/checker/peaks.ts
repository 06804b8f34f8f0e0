/** The greatest height that members of one class reached, and who did. */
export interface Peak<T> {
  readonly reach: number;
  readonly floor: number;
  height: number;
  by: T;
}

/**
 * Greatest heights so far, kept apart by the quorums that a promise depends on. The requests of a
 * history use few quorum sizes, so the classes are few and a scan of them is as good as constant;
 * with this a checker walks a key's operations once instead of comparing them pair by pair.
 */
export class Peaks<T> {
  readonly #peaks: Peak<T>[] = [];

  note({ reach, floor }: { reach: number; floor: number }, height: number, by: T): void {
    for (const peak of this.#peaks) {
      if (peak.reach !== reach || peak.floor !== floor) continue;
      if (height > peak.height) {
        peak.height = height;
        peak.by = by;
      }
      return;
    }
    this.#peaks.push({ reach, floor, height, by });
  }

  /** The highest among those that reach at least `reach` and whose floor is at most `floor`. */
  highest({ reach, floor }: { reach: number; floor: number }): Peak<T> | undefined {
    let highest: Peak<T> | undefined;
    for (const peak of this.#peaks) {
      if (peak.reach < reach || peak.floor > floor) continue;
      if (highest === undefined || peak.height > highest.height) highest = peak;
    }
    return highest;
  }
}
