import { utf8 } from "../core/bytes.ts";
import { KvError } from "../core/errors.ts";
import { parseWriteId } from "../core/ids.ts";
import { refusalOf } from "./answer.ts";
import { perform } from "./attempts.ts";
import type { Call, Means, Performed } from "./attempts.ts";
import type {
  AskOptions,
  CallOptions,
  DeleteOptions,
  GetOptions,
  ListOptions,
  Merge,
  Merged,
  PutOptions,
  RepairOptions,
  UpdateOptions,
} from "./call-options.ts";
import { batchBodies, interpretBatch } from "./batch.ts";
import type { BatchOperation, BatchResult } from "./batch.ts";
import { LIST_BUCKETS, putBucketCall, removeBucketCall, showBucketCall } from "./bucket-calls.ts";
import type { Bucket, BucketExpectation, BucketGiven, BucketList } from "./bucket-calls.ts";
import { clusterStatusOf } from "./cluster-status.ts";
import type { ClusterStatus } from "./cluster-status.ts";
import { EndpointSet } from "./endpoints.ts";
import { exchange } from "./exchange.ts";
import type { HttpAnswer } from "./exchange.ts";
import { interpretExplanation, interpretPlacement } from "./key-explanation.ts";
import type { KeyExplanation, KeyPlacement } from "./key-explanation.ts";
import { interpretList } from "./list-page.ts";
import type { ListPage } from "./list-page.ts";
import { MODULES, limitsOf } from "./options.ts";
import type { ClientModules, ClientOptions } from "./options.ts";
import { interpretReading } from "./reading.ts";
import type { Absent, Conflict, Found, Reading, Sibling, SiblingContent } from "./reading.ts";
import { interpretReady, interpretRepair, interpretWrite } from "./results.ts";
import type { Readiness, Written } from "./results.ts";
import { RetryBudget } from "./retry-budget.ts";
import { listTargetOf, targetOf } from "./target.ts";
import { update } from "./update.ts";

export { hasCode, KvError } from "../core/errors.ts";
export type { ErrorCode, ErrorData, Outcome, Retry } from "../core/errors.ts";
export type { QuorumChoice } from "./call-options.ts";
export type { DeleteOptions, GetOptions, ListOptions, PutOptions, RepairOptions, UpdateOptions };
export type { Merge, Merged };
export type { Absent, Conflict, Found, Reading, Sibling, SiblingContent };
export type { ClientModules, ClientOptions, ClusterStatus, Readiness, Written };
export type { Bucket, BucketExpectation, BucketGiven, BucketList };
export type { BatchOperation, BatchResult, KeyExplanation, KeyPlacement, ListPage };

type WriteRequest = Pick<Call<unknown>, "method" | "headers" | "body"> & {
  /** Beyond what every write takes. */
  readonly query: Readonly<Record<string, number | undefined>>;
};

/**
 * Reads and writes through any of several endpoints. Failures are {@link KvError}s: `code` names
 * them, and `outcome` says of a write whether it may become visible. What can be retried was retried
 * already, within the limits of {@link ClientOptions}, and always under the same write id.
 *
 * Keys are text or bytes. They travel as base64url, so no proxy or URL library can rewrite them.
 */
export class KvClient implements AsyncDisposable {
  readonly #means: Means;
  readonly #underWay = new Set<Promise<unknown>>();
  #closed = false;

  constructor(options: ClientOptions, modules: Partial<ClientModules> = {}) {
    const limits = limitsOf(options);
    const allModules = { ...MODULES, ...modules };
    this.#means = {
      limits,
      modules: allModules,
      endpoints: new EndpointSet({ urls: options.endpoints, limits }, allModules),
      budget: new RetryBudget({ ratio: limits.retryRatio, burst: limits.retryBurst }),
    };
  }

  /** A value, or none; in a bucket of mode `siblings` perhaps several, for the caller to merge. */
  async get(key: string | Uint8Array, options: GetOptions = {}): Promise<Reading> {
    const { bucket, r, version } = options;
    return this.#read(targetOf(key, bucket, { r, version }), options, interpretReading);
  }

  /** Reads from R replicas for the sake of the repair: those that lack what others hold get it. */
  async repair(key: string | Uint8Array, options: RepairOptions = {}): Promise<void> {
    const target = targetOf(key, options.bucket, { r: options.r });
    await this.#read(target, options, interpretRepair);
  }

  /**
   * What each replica holds of the key and what reads would return, for operators. It needs no quorum
   * and promises nothing. Proxies do not pass it on: the endpoints must be nodes.
   */
  async explain(key: string | Uint8Array, options: CallOptions = {}): Promise<KeyExplanation> {
    const target = targetOf(key, options.bucket, { explain: "" });
    return this.#read(target, options, interpretExplanation);
  }

  /** Where the key lives; no replica is asked. */
  async locate(key: string | Uint8Array, options: CallOptions = {}): Promise<KeyPlacement> {
    const target = targetOf(key, options.bucket, { explain: "placement" });
    return this.#read(target, options, interpretPlacement);
  }

  /** The value's bytes must stay as they are until the promise settles: a retry sends them again. */
  put(
    key: string | Uint8Array,
    value: string | Uint8Array,
    options: PutOptions = {},
  ): Promise<Written> {
    const { contentType, contentEncoding, ttlSeconds } = options;
    return this.#write(key, options, {
      method: "PUT",
      headers: {
        ...(contentType !== undefined && { "content-type": contentType }),
        ...(contentEncoding !== undefined && { "content-encoding": contentEncoding }),
      },
      body: typeof value === "string" ? utf8(value) : value,
      query: { ttl: ttlSeconds },
    });
  }

  /** Deleting an absent key succeeds: it writes a tombstone. */
  delete(key: string | Uint8Array, options: DeleteOptions = {}): Promise<Written> {
    return this.#write(key, options, {
      method: "DELETE",
      headers: {},
      body: undefined,
      query: {},
    });
  }

  /**
   * Read, merge, write with what was read as its causal context: for buckets of mode `siblings`, where
   * no concurrent update is lost by it. `timeoutMs` is for all rounds together.
   *
   * @returns undefined when the merge left the key as it is.
   * @throws KvError `bucket-mode-unfit` before anything is written; what get, put and delete throw.
   */
  update(
    key: string | Uint8Array,
    merge: Merge,
    options: UpdateOptions = {},
  ): Promise<Written | undefined> {
    const { limits, modules } = this.#means;
    const timeoutMs = options.timeoutMs ?? limits.timeoutMs;
    return update(key, merge, { options: { ...options, timeoutMs }, calls: this, modules });
  }

  /**
   * Up to 256 operations in one request: independent, in no order, no transaction; one result each, in
   * their order. The batch is sent again when no node has answered it, every write under its write id;
   * an operation that failed is for the caller to try again. Rejects only when nothing is known of any.
   */
  async batch(
    operations: readonly BatchOperation[],
    { timeoutMs = this.#means.limits.timeoutMs, signal }: AskOptions = {},
  ): Promise<readonly BatchResult[]> {
    const bodyOf = batchBodies(operations, this.#means.modules.mintWriteId);
    const writes = operations.some(({ op }) => op !== "get");
    const { value } = await this.#perform({
      method: "POST",
      target: "/v1/batch",
      headers: { "content-type": "application/json" },
      ...(writes ? { body: undefined, batchBody: bodyOf } : { body: bodyOf(1) }),
      writeId: undefined,
      timeoutMs,
      signal,
      interpret: (answer) => interpretBatch(answer, operations.length),
    });
    return value;
  }

  /**
   * The keys of a bucket, page by page, each with its own attempts and time. A key that is there all
   * the time comes once; of those written or deleted meanwhile nothing is promised. A page may be empty
   * and not the last one.
   */
  async *list({ cursor, ...options }: ListOptions = {}): AsyncGenerator<ListPage, void, undefined> {
    let next = cursor;
    do {
      const page = await this.listPage({ ...options, cursor: next });
      yield page;
      next = page.cursor;
    } while (next !== undefined);
  }

  /** One page of the keys of a bucket, from the cursor on. */
  async listPage(options: ListOptions = {}): Promise<ListPage> {
    const { bucket, prefix, pageLimit, cursor, r } = options;
    const target = listTargetOf(bucket, { prefix, limit: pageLimit, cursor, r });
    return this.#read(target, options, interpretList);
  }

  /** All buckets, as one node knows them. Proxies do not pass it on: the endpoints must be nodes. */
  async buckets(options: AskOptions = {}): Promise<BucketList> {
    return this.#idempotent(LIST_BUCKETS, options);
  }

  /** @throws KvError `bucket-not-found` */
  async bucket(name: string, options: AskOptions = {}): Promise<Bucket> {
    return this.#idempotent(showBucketCall(name), options);
  }

  /**
   * Creates a bucket, or changes the properties that are given; what is repeated is done once. It needs
   * every member (`members-missing`). `mode` and `n` never change.
   */
  async putBucket(
    name: string,
    given: BucketGiven,
    { expect, ...options }: AskOptions & { readonly expect?: BucketExpectation } = {},
  ): Promise<Bucket> {
    return this.#idempotent(putBucketCall(name, given, expect), options);
  }

  /** For good: its keys are gone, and the name is not used again. It needs every member. */
  async removeBucket(name: string, options: AskOptions = {}): Promise<void> {
    await this.#idempotent(removeBucketCall(name), options);
  }

  /** What the node at this endpoint knows of its cluster. One attempt. */
  cluster(endpoint: string, options: AskOptions = {}): Promise<ClusterStatus> {
    return this.#ask(endpoint, "/v1/cluster", options, (answer) => {
      const status = answer.status === 200 ? clusterStatusOf(answer.body) : undefined;
      if (status === undefined) throw refusalOf(answer).error;
      return status;
    });
  }

  /** Whether the node at this endpoint takes requests. One attempt. */
  ready(endpoint: string, options: AskOptions = {}): Promise<Readiness> {
    return this.#ask(endpoint, "/readyz", options, interpretReady);
  }

  /** Takes no further calls, lets those under way end, closes the connections. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#underWay);
    await this.#means.endpoints.close();
  }

  /** `await using client = new KvClient(…)` */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #read<T>(target: string, options: AskOptions, interpret: Call<T>["interpret"]): Promise<T> {
    const call = { method: "GET", target, headers: {}, body: undefined, interpret } as const;
    return this.#idempotent(call, options);
  }

  /** No write of a key: to repeat it does no harm, so it needs no write id. */
  async #idempotent<T>(
    call: Omit<Call<T>, "writeId" | "timeoutMs" | "signal">,
    { timeoutMs = this.#means.limits.timeoutMs, signal }: AskOptions,
  ): Promise<T> {
    const { value } = await this.#perform({ ...call, writeId: undefined, timeoutMs, signal });
    return value;
  }

  async #write(
    key: string | Uint8Array,
    options: DeleteOptions,
    { query, ...request }: WriteRequest,
  ): Promise<Written> {
    const { context } = options;
    const writeId = parseWriteId(options.writeId ?? this.#means.modules.mintWriteId());
    const { value, attempts } = await this.#perform({
      ...request,
      headers: { ...request.headers, ...(context !== undefined && { "kv-context": context }) },
      target: targetOf(key, options.bucket, {
        w: options.w,
        durability: options.durability,
        ...query,
      }),
      writeId,
      timeoutMs: options.timeoutMs ?? this.#means.limits.timeoutMs,
      signal: options.signal,
      interpret: interpretWrite,
    });
    return { ...value, writeId, attempts };
  }

  #perform<T>(call: Call<T>): Promise<Performed<T>> {
    return this.#tracked(() => perform(call, this.#means));
  }

  async #ask<T>(
    url: string,
    path: string,
    { timeoutMs = this.#means.limits.timeoutMs, signal }: AskOptions,
    read: (answer: HttpAnswer) => T,
  ): Promise<T> {
    signal?.throwIfAborted();
    const { pool } = this.#means.endpoints.named(url);
    const request = { method: "GET", path, headers: {}, body: undefined } as const;
    const exchanged = await this.#tracked(() => exchange(pool, request, { timeoutMs, signal }));
    signal?.throwIfAborted();
    if (exchanged.kind === "answered") return read(exchanged.answer);
    const { cause } = exchanged;
    throw new KvError("unreachable", `${url}: ${cause.message}`, {}, { cause });
  }

  async #tracked<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new KvError("unreachable", "the client is closed");
    const promise = work();
    this.#underWay.add(promise);
    try {
      return await promise;
    } finally {
      this.#underWay.delete(promise);
    }
  }
}
