import type { History, Operation, SeenSibling } from "./history.ts";
import { learnsFrom } from "./version-history.ts";

/** Versions beside each other: what a get was shown, or what all replicas together hold in the end. */
export interface Sighting {
  /** undefined: of the replicas. */
  readonly operation: Operation | undefined;
  readonly siblings: readonly SeenSibling[];
}

/** What clients call one write, under the identity that its attempts share. */
export class SiblingWrite {
  readonly id: string;
  /** Those that were not proven without effect. */
  readonly attempts: Operation[] = [];
  readonly acknowledgements: Operation[] = [];
  /** Gets that showed it. */
  readonly gets: Operation[] = [];
  /** Earliest call of any attempt. */
  call = Infinity;
  /** No attempt renounced durability. */
  sync = true;
  /** All came without a context, where that means to supersede what is there. */
  overwrites = true;

  constructor(id: string) {
    this.id = id;
  }

  attempt(operation: Operation): void {
    this.attempts.push(operation);
    if (operation.outcome === "ok") this.acknowledgements.push(operation);
    this.call = Math.min(this.call, operation.call);
    if (operation.durability === "async") this.sync = false;
    if (!overwrites(operation)) this.overwrites = false;
  }

  /** The context with which all attempts came. */
  get sent(): string | undefined {
    const [first, ...others] = this.attempts.map(({ causality }) => causality?.sent);
    return others.every((sent) => sent === first) ? first : undefined;
  }
}

export function overwrites({ causality }: Operation): boolean {
  return causality?.blindWrites === "overwrite" && causality.sent === undefined;
}

/** What answers with one context told. */
interface Context {
  readonly shown: Map<string, SeenSibling>;
  readonly writtenBy: Set<SiblingWrite>;
}

/** All that a history tells of one key of a bucket that keeps siblings. */
export class SiblingHistory {
  readonly key: string;
  readonly writes = new Map<string, SiblingWrite>();
  readonly gets: Sighting[] = [];
  /** What each replica holds in the end. */
  readonly records: (readonly SeenSibling[])[] = [];
  readonly #contexts = new Map<string, Context>();
  #byCall: readonly SiblingWrite[] | undefined;

  constructor(key: string) {
    this.key = key;
  }

  add(operation: Operation): void {
    const { kind, outcome, version, causality } = operation;
    if (kind === "get") {
      if (outcome === "ok" && causality !== undefined) this.#see(operation, causality.siblings);
      return;
    }
    if (outcome === "not-applied" || version === undefined) return;
    const write = this.#write(version);
    write.attempt(operation);
    if (causality?.context !== undefined) this.#context(causality.context).writtenBy.add(write);
  }

  hold(siblings: readonly SeenSibling[]): void {
    this.records.push(siblings);
  }

  /** What all replicas together hold in the end. */
  get final(): Sighting {
    const siblings = new Map(this.records.flat().map((sibling) => [sibling.dot, sibling]));
    return { operation: undefined, siblings: [...siblings.values()] };
  }

  /**
   * The writes that may be gone where these are seen, because something that had seen them superseded
   * them: a write with a context what that one's answers told, and what was superseded by it; a blind
   * one that overwrites whatever was called before it ended. More than that nobody can supersede.
   */
  maySupersede(siblings: readonly SeenSibling[]): ReadonlySet<SiblingWrite> {
    const covered = new Set<SiblingWrite>();
    const byCall = (this.#byCall ??= [...this.writes.values()].toSorted((a, b) => a.call - b.call));
    const open = siblings.flatMap(({ version }) => this.writes.get(version) ?? []);
    const expanded = new Set<SiblingWrite>();
    let next = 0;
    const cover = (write: SiblingWrite): void => {
      covered.add(write);
      open.push(write);
    };
    for (let write = open.pop(); write !== undefined; write = open.pop()) {
      if (expanded.has(write)) continue;
      expanded.add(write);
      for (const attempt of write.attempts) {
        for (const other of this.#told(attempt.causality?.sent)) cover(other);
        if (!overwrites(attempt)) continue;
        const end = attempt.end ?? Infinity;
        for (let it = byCall[next]; it !== undefined && it.call < end; it = byCall[++next]) {
          cover(it);
        }
      }
    }
    return covered;
  }

  /** Which of `others` have certainly been superseded wherever `sibling` is held. */
  *superseded(sibling: SeenSibling, others: readonly SeenSibling[]): Generator<SeenSibling> {
    const oldest = Math.min(...others.map(({ stamp }) => stamp));
    const found = new Set<string>();
    const done = new Set<string>();
    const open = [sibling];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      if (done.has(at.dot)) continue;
      done.add(at.dot);
      const write = this.writes.get(at.version);
      if (write === undefined) continue;
      for (const other of others) {
        if (found.has(other.dot) || other.version === at.version) continue;
        if (!this.#overwrote(write, other)) continue;
        found.add(other.dot);
        yield other;
      }
      for (const seen of this.#shownTo(write)) {
        const other = others.find(({ dot }) => dot === seen.dot);
        if (other !== undefined && !found.has(other.dot)) {
          found.add(other.dot);
          yield other;
        }
        // Whatever was superseded by it is older.
        if (seen.stamp > oldest) open.push(seen);
      }
    }
  }

  /**
   * Whether the write was blind and its learn round certain to meet this version, which so many
   * replicas had shown before. That it had been acknowledged proves nothing: two replicas may mint one
   * attempt under one stamp, and whoever was told the stamp cannot tell whose it is.
   */
  #overwrote(write: SiblingWrite, { version, dot }: SeenSibling): boolean {
    const other = this.writes.get(version);
    if (other === undefined || !write.overwrites || !other.sync) return false;
    const needed = Math.max(...write.attempts.map(learnsFrom));
    return other.gets.some(
      ({ end = Infinity, r, causality }) =>
        end < write.call &&
        r >= needed &&
        (causality?.siblings.some((shown) => shown.dot === dot) ?? false),
    );
  }

  /** What the writer had certainly seen when it sent its context. */
  *#shownTo(write: SiblingWrite): Generator<SeenSibling> {
    const done = new Set<string>();
    const open = [write.sent];
    for (let sent = open.pop(); sent !== undefined; sent = open.pop()) {
      if (done.has(sent)) continue;
      done.add(sent);
      const context = this.#contexts.get(sent);
      if (context === undefined) continue;
      yield* context.shown.values();
      for (const { sent: before } of context.writtenBy) if (before !== undefined) open.push(before);
    }
  }

  /** The writes that answers with this context told of; where gets did, they told all. */
  #told(sent: string | undefined): readonly SiblingWrite[] {
    const context = sent === undefined ? undefined : this.#contexts.get(sent);
    if (context === undefined) return [];
    if (context.shown.size === 0) return [...context.writtenBy];
    return [...context.shown.values()].flatMap(({ version }) => this.writes.get(version) ?? []);
  }

  #see(operation: Operation, siblings: readonly SeenSibling[]): void {
    this.gets.push({ operation, siblings });
    for (const { version } of siblings) this.#write(version).gets.push(operation);
    const { context } = operation.causality ?? {};
    if (context === undefined) return;
    const { shown } = this.#context(context);
    for (const sibling of siblings) shown.set(sibling.dot, sibling);
  }

  #write(id: string): SiblingWrite {
    let write = this.writes.get(id);
    if (write === undefined) {
      write = new SiblingWrite(id);
      this.writes.set(id, write);
    }
    return write;
  }

  #context(text: string): Context {
    let context = this.#contexts.get(text);
    if (context === undefined) {
      context = { shown: new Map(), writtenBy: new Set() };
      this.#contexts.set(text, context);
    }
    return context;
  }
}

export function siblingHistories({ operations, replicas }: History): readonly SiblingHistory[] {
  const byKey = new Map<string, SiblingHistory>();
  const of = (key: string): SiblingHistory => {
    const known = byKey.get(key) ?? new SiblingHistory(key);
    byKey.set(key, known);
    return known;
  };
  for (const operation of operations) {
    if (operation.causality !== undefined) of(operation.key).add(operation);
  }
  for (const { records } of replicas) {
    for (const [key, { siblings }] of records) {
      if (siblings !== undefined) of(key).hold(siblings);
    }
  }
  return [...byKey.values()];
}
