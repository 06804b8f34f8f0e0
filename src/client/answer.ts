import { utf8Text } from "../core/bytes.ts";
import { ERRORS, KvError, isErrorCode } from "../core/errors.ts";
import type { ErrorData, Outcome, Retry } from "../core/errors.ts";
import type { HttpAnswer } from "./exchange.ts";

/** An error as a node told it. `retry` is the node's word, which may know better than the table. */
export interface Refusal {
  readonly error: KvError;
  readonly retry: Retry;
}

/** How many answers there were to the quorum that the request asked for. */
export interface QuorumFacts {
  readonly needed: number;
  readonly acked: number;
  readonly epoch: number;
}

/** Only nodes send it: without it a 200 or 204 is some other server's. */
export function quorumOf(answer: HttpAnswer): QuorumFacts | undefined {
  const text = answer.headers.get("kv-quorum") ?? "";
  const [needed, acked, epoch] = ["needed", "acked", "epoch"].map((name) =>
    Number(new RegExp(`(?:^|[ ,])${name}=(\\d+)`).exec(text)?.[1]),
  ) as [number, number, number];
  return Number.isNaN(needed + acked + epoch) ? undefined : { needed, acked, epoch };
}

/** Reads an answer that is not the success that was hoped for. */
export function refusalOf(answer: HttpAnswer): Refusal {
  const problem = problemOf(answer);
  return problem === undefined ? foreignAnswer(answer) : refusalOfProblem(problem, answer.status);
}

/** @param problem the fields of a problem document */
export function refusalOfProblem(problem: ReadonlyMap<string, unknown>, status: number): Refusal {
  const code = textOf(problem.get("code")) ?? "";
  const detail = textOf(problem.get("detail")) ?? textOf(problem.get("title")) ?? "";
  const retry = retryOf(problem.get("retry"));
  const data = dataOf(problem);
  if (!isErrorCode(code)) {
    return {
      error: new KvError("answer-invalid", `unknown error code '${code}': ${detail}`, data),
      retry: retry ?? "no",
    };
  }
  const atDeadline = status === 504 && ERRORS[code].status !== 504;
  return {
    error: new KvError(code, detail, atDeadline ? { ...data, atDeadline } : data),
    retry: retry ?? ERRORS[code].retry,
  };
}

function problemOf(answer: HttpAnswer): ReadonlyMap<string, unknown> | undefined {
  const type = answer.headers.get("content-type") ?? "";
  if (!type.startsWith("application/problem+json")) return undefined;
  return jsonObject(answer.body);
}

/** @returns undefined unless the bytes are one JSON object. */
export function jsonObject(body: Uint8Array): ReadonlyMap<string, unknown> | undefined {
  return fieldsOf(jsonOf(body));
}

/** @returns undefined unless the bytes are JSON. */
export function jsonOf(body: Uint8Array): unknown {
  try {
    return JSON.parse(utf8Text(body) ?? "");
  } catch {
    return undefined;
  }
}

/** @returns undefined unless the value is an object. */
export function fieldsOf(value: unknown): ReadonlyMap<string, unknown> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? new Map(Object.entries(value))
    : undefined;
}

/** A proxy that lost its upstream may work a moment later; any other stranger will not. */
function foreignAnswer({ status, headers, body }: HttpAnswer): Refusal {
  const type = headers.get("content-type") ?? "no content type";
  const begin = (utf8Text(body.subarray(0, 120)) ?? "").replace(/\s+/g, " ").trim();
  const detail = `status ${status}, ${type}${begin === "" ? "" : `: ${begin}`}`;
  if (status === 401 || status === 403) {
    return { error: new KvError("forbidden", detail), retry: "no" };
  }
  return {
    error: new KvError("answer-invalid", detail),
    retry: status === 429 || status >= 502 ? "same-write-id" : "no",
  };
}

function dataOf(problem: ReadonlyMap<string, unknown>): ErrorData {
  const outcome = outcomeOf(problem.get("outcome"));
  const writeId = textOf(problem.get("writeId"));
  const needed = numberOf(problem.get("needed"));
  const acked = numberOf(problem.get("acked"));
  const retryAfterMs = numberOf(problem.get("retryAfterMs"));
  const siblings = textsOf(problem.get("siblings"));
  return {
    ...(outcome !== undefined && { outcome }),
    ...(writeId !== undefined && { writeId }),
    ...(needed !== undefined && { needed }),
    ...(acked !== undefined && { acked }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    ...(problem.get("deleted") === true && { deleted: true }),
    ...(siblings !== undefined && { siblings }),
  };
}

function outcomeOf(value: unknown): Outcome | undefined {
  return value === "not-applied" || value === "unknown" ? value : undefined;
}

function retryOf(value: unknown): Retry | undefined {
  return value === "no" || value === "same-write-id" || value === "after" ? value : undefined;
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function textsOf(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) && value.every((item) => typeof item === "string")
    ? value
    : undefined;
}

function numberOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : undefined;
}
