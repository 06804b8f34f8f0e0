import type { Answer } from "../../core/answer.ts";
import { KvError } from "../../core/errors.ts";
import type { NodeId } from "../../core/ids.ts";
import { changedDocument } from "../../core/layout/bucket-change.ts";
import type { BucketChange } from "../../core/layout/bucket-change.ts";
import type { ClusterDocument } from "../../core/layout/cluster-document.ts";
import { documentJson } from "../../core/layout/document-json.ts";
import { adoptRequest } from "../../core/messages/document.ts";
import type { DocumentRequest } from "../../core/messages/document.ts";
import type { Clock, Instant } from "../../ports/clock.ts";
import type { DocumentClient } from "./document-client.ts";
import type { Documents } from "./documents.ts";

/** Changes that wait for the one under way; more are refused. */
const CHANGES_MAX = 16;
/** One change: every member is asked twice and stores it once. */
const CHANGE_MS_MAX = 10_000;

interface BucketChangesModules {
  readonly self: NodeId;
  readonly clock: Clock;
  readonly documents: Pick<Documents, "current" | "adopt">;
  readonly client: Pick<DocumentClient, "ask">;
}

/**
 * Changes of the buckets, put in order by the member with the lowest id, one at a time. Each begins
 * with the documents of all other members and ends when all have stored the new one, so no two
 * documents of one version are ever acknowledged, whoever was killed in between or lost a disk.
 */
export class BucketChanges {
  readonly #modules: BucketChangesModules;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(modules: BucketChangesModules) {
    this.#modules = modules;
  }

  /**
   * Asked of any member.
   * @returns the document after the change, which every member has stored.
   * @throws KvError what `changedDocument` throws; `members-missing`; `change-unknown`; `overloaded`
   */
  async change(change: BucketChange, timeoutMs: number = CHANGE_MS_MAX): Promise<ClusterDocument> {
    const { client, clock, documents, self } = this.#modules;
    const first = this.#sequencer;
    const deadline = clock.now() + Math.min(timeoutMs, CHANGE_MS_MAX);
    if (first === self) return this.inOrder(change, deadline);
    const question = { ask: "change", change } as const;
    const answer = await client.ask(first, question, deadline);
    if (answer.kind === "ok") {
      await documents.adopt(answer.value);
      return answer.value;
    }
    const why = `${first}, which puts changes in order, gave no answer: ${answer.reason}`;
    throw new KvError(answer.kind === "refused" ? "members-missing" : "change-unknown", why);
  }

  /** As the member that puts changes in order. */
  inOrder(change: BucketChange, deadline: Instant): Promise<ClusterDocument> {
    if (this.#sequencer !== this.#modules.self) {
      const detail = `${this.#sequencer} puts changes in order, not ${this.#modules.self}`;
      return Promise.reject(new KvError("members-missing", detail));
    }
    if (this.#waiting >= CHANGES_MAX) {
      const detail = `${this.#waiting} changes of the buckets are waiting`;
      return Promise.reject(new KvError("overloaded", detail));
    }
    this.#waiting += 1;
    const done = this.#last
      .then(() => this.#make(change, deadline))
      .finally(() => {
        this.#waiting -= 1;
      });
    this.#last = done.catch(() => {});
    return done;
  }

  async #make(change: BucketChange, deadline: Instant): Promise<ClusterDocument> {
    const { documents } = this.#modules;
    const told = await this.#askOthers({ ask: "tell" }, deadline);
    throwIfFailed(told, "members-missing", "a change of the buckets needs every member");
    const known = [...told.values()].flatMap((answer) =>
      answer.kind === "ok" ? [answer.value] : [],
    );
    const newest = known.reduce((a, b) => (b.version > a.version ? b : a), documents.current);
    const rivals = [documents.current, ...known].filter((it) => it.version === newest.version);
    const changed = changedDocument(newest, change);
    const isSplit = changed === newest && rivals.some((rival) => !isSame(rival, newest));
    // Nobody was told of either; the next version replaces both.
    const next = isSplit ? { ...newest, version: newest.version + 1 } : changed;
    try {
      await documents.adopt(next);
    } catch (error) {
      const detail = "this member could not store the change";
      throw new KvError("change-unknown", detail, {}, { cause: error });
    }
    const taken = await this.#askOthers(adoptRequest(next), deadline);
    const confirmed = new Map([...taken].map(([member, answer]) => [member, of(next, answer)]));
    throwIfFailed(confirmed, "change-unknown", "not every member has confirmed the change");
    return next;
  }

  async #askOthers(
    question: DocumentRequest,
    deadline: Instant,
  ): Promise<ReadonlyMap<NodeId, Answer<ClusterDocument>>> {
    const { client, documents, self } = this.#modules;
    const others = documents.current.layout.others(self);
    const answers = others.map(async (member) => {
      const answer = await client.ask(member, question, deadline).catch(failedAnswer);
      return [member, answer] as const;
    });
    return new Map(await Promise.all(answers));
  }

  get #sequencer(): NodeId {
    const ids = this.#modules.documents.current.layout.members.map(({ id }) => id);
    return ids.reduce((a, b) => (b < a ? b : a));
  }
}

/** A member that could not store it says so, and it is as good as no answer. */
function failedAnswer(error: unknown): Answer<ClusterDocument> {
  if (error instanceof KvError) return { kind: "unknown", reason: "storage-error" };
  throw error;
}

/** A member that has another document of this version has not taken this one. */
function of(next: ClusterDocument, answer: Answer<ClusterDocument>): Answer<ClusterDocument> {
  const isTaken = answer.kind !== "ok" || isSame(answer.value, next);
  return isTaken ? answer : { kind: "unknown", reason: "damaged-answer" };
}

function isSame(a: ClusterDocument, b: ClusterDocument): boolean {
  return JSON.stringify(documentJson(a)) === JSON.stringify(documentJson(b));
}

function throwIfFailed(
  answers: ReadonlyMap<NodeId, Answer<ClusterDocument>>,
  code: "members-missing" | "change-unknown",
  what: string,
): void {
  const failed = [...answers].flatMap(([member, answer]) =>
    answer.kind === "ok" ? [] : [`${member} (${answer.reason})`],
  );
  if (failed.length > 0) throw new KvError(code, `${what}; missing: ${failed.join(", ")}`);
}
