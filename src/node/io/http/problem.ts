import { ERRORS } from "../../../core/errors.ts";
import type { KvError } from "../../../core/errors.ts";

export const PROBLEM_TYPE = "application/problem+json";

/** The RFC 9457 problem document of an error. */
export function problemBody(error: KvError, requestId: string): string {
  return JSON.stringify(problemJson(error, requestId));
}

export function problemJson(error: KvError, requestId: string): object {
  const { retryAfterMs, writeId, needed, acked, deleted, siblings } = error.data;
  return {
    type: `/docs/errors.md#${error.code}`,
    title: ERRORS[error.code].title,
    status: error.status,
    detail: error.message,
    instance: requestId,
    code: error.code,
    outcome: error.outcome,
    retry: error.retry,
    writeId,
    needed,
    acked,
    retryAfterMs,
    deleted,
    siblings,
  };
}

/** Headers beyond the body's that an error asks for, flat pairs. */
export function problemHeaders(error: KvError): string[] {
  const headers: string[] = [];
  if (error.data.retryAfterMs !== undefined) {
    headers.push("Retry-After", String(Math.ceil(error.data.retryAfterMs / 1_000)));
  }
  if (error.data.allow !== undefined) headers.push("Allow", error.data.allow);
  if (error.data.deleted === true) headers.push("KV-Deleted", "true");
  if (error.data.context !== undefined) headers.push("KV-Context", error.data.context);
  return headers;
}
