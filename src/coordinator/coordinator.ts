import { majority } from "../core/bucket.ts";
import type { BucketProperties, Mode } from "../core/bucket.ts";
import { hex } from "../core/bytes.ts";
import { NOTHING_SEEN } from "../core/causal/causal-context.ts";
import type { CausalContext } from "../core/causal/causal-context.ts";
import type { ContextTokens } from "../core/causal/context-tokens.ts";
import { KvError } from "../core/errors.ts";
import type { Outcome } from "../core/errors.ts";
import type { BucketName, Key, NodeId, WriteId } from "../core/ids.ts";
import { parseWriteId } from "../core/ids.ts";
import type { ClusterDocument } from "../core/layout/cluster-document.ts";
import type { CursorTokens } from "../core/listing/cursor-tokens.ts";
import { partitionOfRecordKey, recordKey } from "../core/record-key.ts";
import type { RecordKey } from "../core/record-key.ts";
import { mergeModel } from "../core/version/merge.ts";
import { viewOf } from "../core/version/view.ts";
import type { RecordView } from "../core/version/view.ts";
import { writeIdentity } from "../core/version/write-identity.ts";
import type {
  BatchRequest,
  BatchResult,
  ExplainRequest,
  ExplainResult,
  ListRequest,
  ListResult,
  Operations,
  Placement,
  QuorumChoice,
  ReadRequest,
  ReadResult,
  WriteRequest,
  WriteResult,
} from "../ports/operations.ts";
import type { Rng } from "../ports/rng.ts";
import { batch } from "./batch.ts";
import { BackgroundRepairs } from "./background-repairs.ts";
import { Deadline } from "./deadline.ts";
import { explainKey } from "./explain.ts";
import { forward } from "./forward.ts";
import { list, listHedging } from "./list.ts";
import { OperationLog } from "./operation-log.ts";
import type { OperationLogOptions } from "./operation-log.ts";
import { read } from "./read.ts";
import type { ReadModules } from "./read.ts";
import { write } from "./write.ts";
import type { WriteModules } from "./write.ts";

const WRITE_ID_PREFIX_BYTES = 12;
const OVERLOAD_RETRY_AFTER_MS = 1_000;
/** Batches that this node runs at a time: each holds its request and its answers in memory. */
const BATCHES_MAX = 32;
/** Pages of listings that this node puts together at a time: each is a good deal of memory and of reads. */
const LISTS_MAX = 16;

export interface CoordinatorOptions extends OperationLogOptions {
  readonly requestTimeoutMs: number;
  readonly requestTimeoutMaxMs: number;
  readonly operationsMax: number;
  readonly backgroundRepairsMax: number;
}

export interface CoordinatorModules extends WriteModules {
  readonly tokens: ContextTokens;
  readonly cursors: CursorTokens;
  readonly rng: Rng;
  readonly document: () => ClusterDocument;
  /**
   * @returns undefined unless this node knows of a newer document.
   * @throws KvError `starting-or-draining` of this outcome when that does not come
   */
  readonly caughtUp: (outcome: Outcome) => Promise<void> | undefined;
  /** @throws KvError `clock-unsafe` of this outcome: the clock is wrong, so nothing is coordinated. */
  readonly checkClock: (outcome: Outcome) => void;
}

/** What the coordinator knows of a key before it asks anybody. */
interface Target {
  readonly properties: BucketProperties;
  readonly key: RecordKey;
  readonly preferenceList: readonly NodeId[];
  readonly epoch: number;
}

interface OperationFacts {
  readonly op: "read" | "write" | "delete" | "explain" | "list";
  readonly mode: Mode;
  /** undefined: the operation is about many. */
  readonly key: RecordKey | undefined;
  readonly request: {
    readonly bucket: BucketName;
    readonly timeoutMs: number | undefined;
    readonly requestId?: string | undefined;
  };
  /** What is known of the whole write when this attempt is refused before any work. */
  readonly refused: Outcome;
}

/** Coordinates client operations over the preference list of their key, on any node. */
export class Coordinator implements Operations {
  readonly #options: CoordinatorOptions;
  readonly #modules: CoordinatorModules;
  readonly #readModules: ReadModules;
  readonly #listHedging = listHedging();
  #lists = 0;
  #batches = 0;
  readonly #log: OperationLog;
  /** With a counter behind it: write ids that no other node and no other run of this one mints. */
  readonly #writeIdPrefix: string;
  #mintedWriteIds = 0;
  #inflight = 0;
  #onIdle: (() => void)[] = [];

  constructor(options: CoordinatorOptions, modules: CoordinatorModules) {
    this.#options = options;
    this.#modules = modules;
    this.#readModules = { ...modules, backgroundRepairs: new BackgroundRepairs(options) };
    this.#log = new OperationLog(options, modules);
    this.#writeIdPrefix = hex(modules.rng.bytes(WRITE_ID_PREFIX_BYTES));
  }

  async read(request: ReadRequest): Promise<ReadResult> {
    const behind = this.caughtUp("not-applied");
    if (behind !== undefined) await behind;
    const { properties, key, preferenceList, epoch } = this.#target(request.bucket, request.key);
    const r = quorumSize("r", request.r ?? properties.r, properties.n);
    const { mode } = properties;
    const facts = { op: "read", mode, key, request, refused: "not-applied" } as const;
    return this.#within(facts, async (deadline) => {
      const model = mergeModel(properties.mode);
      const { w, readRepair } = properties;
      const plan = { key, preferenceList, r, w, model, readRepair, deadline };
      const { record, acked, clock } = await read(plan, this.#readModules);
      const reading = this.#modules.stamps.reading();
      const view = viewOf(record, reading > clock ? reading : clock);
      this.#measure(properties.mode, view);
      const context =
        properties.mode === "siblings"
          ? this.#modules.tokens.tokenOf(
              key,
              record?.mode === "siblings" ? record.context : NOTHING_SEEN,
            )
          : undefined;
      return { ...view, context, quorum: { needed: r, acked, epoch } };
    });
  }

  async write(request: WriteRequest): Promise<WriteResult> {
    const refused = request.attempt === 1 ? "not-applied" : "unknown";
    const behind = this.caughtUp(refused);
    if (behind !== undefined) await behind;
    const { properties, key, preferenceList, epoch } = this.#target(request.bucket, request.key);
    const w = quorumSize("w", request.w ?? properties.w, properties.n);
    const { content } = request;
    if (content !== undefined && content.value.byteLength > properties.valueBytesMax) {
      throw new KvError(
        "value-too-large",
        `the value has ${content.value.byteLength} bytes, the bucket allows ${properties.valueBytesMax}`,
      );
    }
    if (request.context !== undefined && properties.mode !== "siblings") {
      throw new KvError(
        "bucket-mode-unfit",
        `bucket '${request.bucket}' keeps a single version of a key, which takes no causal context`,
      );
    }
    const { metrics } = this.#modules.telemetry;
    if (request.attempt > 1) metrics.retriedWrites.with().add();
    if (content !== undefined) metrics.valueSize.with("write").observe(content.value.byteLength);
    const op = content === undefined ? "delete" : "write";
    return this.#within({ op, mode: properties.mode, key, request, refused }, async (deadline) => {
      const ttlSeconds =
        content === undefined ? undefined : (request.ttlSeconds ?? properties.ttlSeconds);
      const writeId = request.writeId ?? this.#mintWriteId();
      const plan = {
        key,
        content,
        ttlSeconds,
        identity: writeIdentity({ writeId, content, ttlSeconds }),
        attempt: request.attempt,
        durability: request.durability ?? properties.durability,
        preferenceList,
        r: properties.r,
        w,
        deadline,
      };
      if (properties.mode === "siblings") {
        const seen = this.#contextOf(request, { properties, key });
        const forwarded = await forward({ ...plan, context: seen }, this.#modules);
        return {
          version: forwarded.version,
          context: this.#modules.tokens.tokenOf(key, forwarded.context),
          quorum: { needed: w, acked: forwarded.acked, epoch },
        };
      }
      const { version, acked } = await write(plan, this.#modules);
      return { version, context: undefined, quorum: { needed: w, acked, epoch } };
    });
  }

  async list(request: ListRequest): Promise<ListResult> {
    const behind = this.caughtUp("not-applied");
    if (behind !== undefined) await behind;
    const { bucket, prefix } = request;
    const { layout } = this.#modules.document();
    const properties = this.#properties(bucket);
    const { cursors } = this.#modules;
    const after =
      request.cursor === undefined ? undefined : cursors.parse({ bucket, prefix }, request.cursor);
    const { mode, n } = properties;
    const r = quorumSize("r", request.r ?? properties.r, n);
    const { limit } = request;
    if (this.#lists >= LISTS_MAX) throw this.#tooMany("listsMax", "listings");
    this.#lists += 1;
    try {
      const about = { op: "list", mode, key: undefined } as const;
      const facts = { ...about, request, refused: "not-applied" } as const;
      return await this.#within(facts, async (deadline) => {
        const range = { bucket, prefix, after };
        const plan = { range, limit, layout, n, r, model: mergeModel(mode), deadline };
        const modules = { ...this.#modules, hedging: this.#listHedging };
        const { keys, last, acked } = await list(plan, modules);
        return {
          keys,
          cursor: last === undefined ? undefined : cursors.tokenOf({ bucket, prefix }, last),
          quorum: { needed: r, acked, epoch: layout.epoch.number },
        };
      });
    } finally {
      this.#lists -= 1;
    }
  }

  async batch({ items, timeoutMs }: BatchRequest): Promise<readonly BatchResult[]> {
    const { clock } = this.#modules;
    const deadline = clock.now() + this.#timeoutMs({ timeoutMs });
    if (this.#batches >= BATCHES_MAX) throw this.#tooMany("batchesMax", "batches");
    this.#batches += 1;
    try {
      return await batch({ items, deadline }, { ...this.#modules, operations: this });
    } finally {
      this.#batches -= 1;
    }
  }

  #tooMany(bound: string, what: string): KvError {
    this.#modules.telemetry.metrics.refused.with(bound).add();
    return new KvError("overloaded", `too many ${what} are under way on this node`, {
      retryAfterMs: OVERLOAD_RETRY_AFTER_MS,
    });
  }

  /** @throws KvError `parameter-invalid` */
  #timeoutMs({ timeoutMs }: Pick<OperationFacts["request"], "timeoutMs">): number {
    const { requestTimeoutMs, requestTimeoutMaxMs } = this.#options;
    const chosen = timeoutMs ?? requestTimeoutMs;
    if (chosen <= requestTimeoutMaxMs) return chosen;
    throw new KvError("parameter-invalid", `timeout is at most ${requestTimeoutMaxMs} ms`);
  }

  caughtUp(outcome: Outcome): Promise<void> | undefined {
    return this.#modules.caughtUp(outcome);
  }

  locate(bucket: BucketName, key: Key): Placement {
    const { layout } = this.#modules.document();
    const { properties, key: address, preferenceList } = this.#target(bucket, key);
    return {
      partition: partitionOfRecordKey(address),
      epoch: layout.epoch,
      properties,
      preferenceList: preferenceList.map((node) => layout.member(node)),
    };
  }

  async explain(request: ExplainRequest): Promise<ExplainResult> {
    const { properties, key, preferenceList } = this.#target(request.bucket, request.key);
    const { mode } = properties;
    const facts = { op: "explain", mode, key, request, refused: "not-applied" } as const;
    return this.#within(facts, (deadline) =>
      explainKey({ key, properties, preferenceList, deadline }, this.#modules),
    );
  }

  #measure(mode: Mode, { version, siblings }: RecordView): void {
    const { metrics } = this.#modules.telemetry;
    if (mode === "siblings") metrics.siblings.with().observe(siblings.length);
    const shown = mode === "siblings" ? siblings.map((one) => one.version) : [version];
    for (const one of shown) {
      if (one?.content !== undefined) {
        metrics.valueSize.with("read").observe(one.content.value.byteLength);
      }
    }
  }

  /** @throws KvError `context-invalid`, `context-required` */
  #contextOf(
    { context }: WriteRequest,
    { properties, key }: Pick<Target, "properties" | "key">,
  ): CausalContext | undefined {
    if (context !== undefined) return this.#modules.tokens.parse(key, context);
    if (properties.blindWrites !== "refuse") return undefined;
    throw new KvError("context-required", "the bucket takes no write without KV-Context");
  }

  /** Resolves when no operation is in flight; new ones are for the edge to keep out. */
  idle(): Promise<void> {
    if (this.#inflight === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onIdle.push(resolve);
    });
  }

  #properties(bucket: BucketName): BucketProperties {
    const properties = this.#modules.document().buckets.get(bucket);
    if (properties !== undefined) return properties;
    throw new KvError("bucket-not-found", `there is no bucket '${bucket}'`);
  }

  #target(bucket: BucketName, key: Key): Target {
    const document = this.#modules.document();
    const properties = this.#properties(bucket);
    const address = recordKey(bucket, key);
    return {
      properties,
      key: address,
      preferenceList: document.layout.preferenceList(partitionOfRecordKey(address), properties.n),
      epoch: document.layout.epoch.number,
    };
  }

  /** Admits the operation, gives it its deadline and counts how it ended. */
  async #within<T>(
    { op, mode, key, request, refused }: OperationFacts,
    operation: (deadline: Deadline) => Promise<T>,
  ): Promise<T> {
    const { clock, telemetry } = this.#modules;
    const { metrics } = telemetry;
    const { operationsMax } = this.#options;
    const timeoutMs = this.#timeoutMs(request);
    if (this.#inflight >= operationsMax) {
      metrics.refused.with("operationsMax").add();
      metrics.requests.with(op, mode, "overloaded").add();
      throw new KvError("overloaded", `${this.#inflight} operations are in flight on this node`, {
        outcome: refused,
        retryAfterMs: OVERLOAD_RETRY_AFTER_MS,
      });
    }
    const begun = clock.now();
    const deadline = new Deadline(clock, timeoutMs);
    this.#inflight += 1;
    metrics.inflightRequests.with().set(this.#inflight);
    let failure: unknown;
    try {
      // An explanation is asked for when something is wrong, be it the clock.
      if (op !== "explain") this.#modules.checkClock(refused);
      return await operation(deadline);
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      deadline.cancel();
      this.#inflight -= 1;
      const durationMs = clock.now() - begun;
      metrics.requests.with(op, mode, resultOf(failure)).add();
      metrics.requestDuration.with(op, mode).observe(durationMs / 1_000);
      const { bucket, requestId } = request;
      this.#log.ended({ op, mode, bucket, key, requestId, durationMs, deadline, error: failure });
      metrics.inflightRequests.with().set(this.#inflight);
      if (this.#inflight === 0) for (const resolve of this.#onIdle.splice(0)) resolve();
    }
  }

  #mintWriteId(): WriteId {
    this.#mintedWriteIds += 1;
    return parseWriteId(`${this.#writeIdPrefix}-${this.#mintedWriteIds.toString(36)}`);
  }
}

function resultOf(failure: unknown): string {
  if (failure === undefined) return "ok";
  return failure instanceof KvError ? failure.code : "internal";
}

function quorumSize(name: "r" | "w", choice: QuorumChoice, n: number): number {
  if (choice === "one") return 1;
  if (choice === "quorum") return majority(n);
  if (choice === "all") return n;
  if (Number.isInteger(choice) && choice >= 1 && choice <= n) return choice;
  throw new KvError("parameter-invalid", `${name} must be 1 to ${n}, one, quorum or all`);
}
