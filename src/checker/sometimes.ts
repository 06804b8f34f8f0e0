/**
 * Counts of interesting states (a stale replica was seen, a read was repaired, a quorum was refused).
 * A campaign in which a required one never came up proves little, however many of its runs passed.
 */
export class Sometimes {
  readonly #counts = new Map<string, number>();

  note(state: string, count = 1): void {
    if (count > 0) this.#counts.set(state, (this.#counts.get(state) ?? 0) + count);
  }

  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  add(other: Sometimes): void {
    for (const [state, count] of other.counts) this.note(state, count);
  }

  /** Those of `required` that never came up. */
  never(required: Iterable<string>): readonly string[] {
    return [...required].filter((state) => !this.#counts.has(state));
  }
}
