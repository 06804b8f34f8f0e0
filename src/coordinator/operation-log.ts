import type { Mode } from "../core/bucket.ts";
import { KvError } from "../core/errors.ts";
import type { BucketName } from "../core/ids.ts";
import { LineBudget } from "../core/line-budget.ts";
import { keyHash, partitionOfRecordKey } from "../core/record-key.ts";
import type { RecordKey } from "../core/record-key.ts";
import type { Clock } from "../ports/clock.ts";
import type { LogFields, Telemetry } from "../ports/telemetry.ts";
import type { Deadline } from "./deadline.ts";

const LINES_PER_SECOND = 10;
const LINES_AT_ONCE = 50;
const TOO_MANY_REQUESTS = 429;
const SERVER_ERRORS = 500;

export interface OperationLogOptions {
  readonly slowOperationMs: number;
}

export interface EndedOperation {
  readonly op: "read" | "write" | "delete" | "explain" | "list" | "mint";
  readonly mode: Mode;
  readonly bucket: BucketName;
  /** undefined: the operation was about many. */
  readonly key: RecordKey | undefined;
  readonly requestId: string | undefined;
  readonly durationMs: number;
  readonly deadline: Deadline;
  /** undefined: it succeeded. */
  readonly error: unknown;
}

/**
 * One line for each operation that was slow, or that failed otherwise than by a mistake of its
 * client, with where its time went; none for the others. The rate of lines is bounded.
 */
export class OperationLog {
  readonly #slowOperationMs: number;
  readonly #modules: { readonly clock: Clock; readonly telemetry: Telemetry };
  readonly #budget = new LineBudget({ perSecond: LINES_PER_SECOND, burst: LINES_AT_ONCE });

  constructor(
    { slowOperationMs }: OperationLogOptions,
    modules: { readonly clock: Clock; readonly telemetry: Telemetry },
  ) {
    this.#slowOperationMs = slowOperationMs;
    this.#modules = modules;
  }

  ended(operation: EndedOperation): void {
    const { error, durationMs } = operation;
    const failed = error !== undefined && isOurs(error);
    if (!failed && durationMs < this.#slowOperationMs) return;
    const { clock, telemetry } = this.#modules;
    const suppressed = this.#budget.take(clock.now());
    if (suppressed === undefined) {
      telemetry.metrics.refused.with("operationLinesMax").add();
      return;
    }
    const fields = { ...fieldsOf(operation), ...(suppressed > 0 && { suppressed }) };
    if (failed) telemetry.log.warn(fields, "an operation failed");
    else telemetry.log.info(fields, "an operation was slow");
  }
}

function isOurs(error: unknown): boolean {
  if (!(error instanceof KvError)) return true;
  return error.status === TOO_MANY_REQUESTS || error.status >= SERVER_ERRORS;
}

function fieldsOf(operation: EndedOperation): LogFields {
  const { op, mode, bucket, key, requestId, durationMs, deadline, error } = operation;
  return {
    op,
    mode,
    bucket,
    ...(key !== undefined && { partition: partitionOfRecordKey(key), keyHash: keyHash(key) }),
    requestId,
    durationMs: Math.round(durationMs),
    phases: deadline.phases(),
    ...resultOf(error),
  };
}

function resultOf(error: unknown): LogFields {
  if (error === undefined) return { result: "ok" };
  if (!(error instanceof KvError)) return { result: "internal" };
  return { result: error.code, outcome: error.outcome, detail: error.message };
}
