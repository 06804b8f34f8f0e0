import { ERRORS, KvError } from "../core/errors.ts";
import type { Refusal } from "./answer.ts";
import type { Endpoint, EndpointSet } from "./endpoints.ts";
import { exchange } from "./exchange.ts";
import type { Exchanged, HttpAnswer, HttpRequest } from "./exchange.ts";
import type { ClientLimits, ClientModules } from "./options.ts";
import type { RetryBudget } from "./retry-budget.ts";

/** One call of the user's, before it is known how many attempts it takes. */
export interface Call<T> {
  readonly method: HttpRequest["method"];
  /** Path and query, all but `timeout`. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
  /** Present on writes; the same on every attempt. */
  readonly writeId: string | undefined;
  /** Of a batch that writes, in place of `body`: its writes have ids of their own and hear of the attempt. */
  readonly batchBody?: (attempt: number) => Uint8Array;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  /** The value of a success, or why the answer is none. */
  readonly interpret: (answer: HttpAnswer) => { readonly value: T } | Refusal;
}

export interface Means {
  readonly limits: ClientLimits;
  readonly endpoints: EndpointSet;
  readonly budget: RetryBudget;
  readonly modules: ClientModules;
}

export interface Performed<T> {
  readonly value: T;
  readonly attempts: number;
}

interface Failed extends Refusal {
  /** The request never left: another attempt costs nobody anything. */
  readonly unsent: boolean;
}

const ATTEMPT_TIMEOUT_MIN_MS = 2_000;
/** Longest deadline that a node accepts unless its operator says otherwise. */
const NODE_TIMEOUT_MAX_MS = 30_000;
/** What the node is asked to answer before the client gives up: its answer tells more than silence. */
const ANSWER_MARGIN_MAX_MS = 100;

/** Makes attempts until one succeeds, none can, or the call's time, attempts or budget end. */
export async function perform<T>(call: Call<T>, means: Means): Promise<Performed<T>> {
  const { limits, endpoints, budget, modules } = means;
  const { writeId } = call;
  const writes = isWrite(call);
  const deadline = modules.now() + call.timeoutMs;
  const tried = new Set<Endpoint>();
  let mayBeApplied = false;
  let told: KvError | undefined;
  let attempt = 1;
  budget.earn();
  for (;;) {
    call.signal?.throwIfAborted();
    const remainingMs = deadline - modules.now();
    if (told !== undefined && remainingMs <= 0)
      throw finalError(told, { writes, mayBeApplied, writeId });
    const endpoint = endpoints.pick(tried);
    const timeoutMs = Math.min(remainingMs, attemptTimeoutMs(call, limits));
    const request = requestOf(call, { timeoutMs, attempt: mayBeApplied ? attempt : 1 });
    const exchanged = await exchange(endpoint.pool, request, { timeoutMs, signal: call.signal });
    call.signal?.throwIfAborted();
    const judged = judge(call, endpoint, exchanged);
    if ("value" in judged) return { value: judged.value, attempts: attempt };

    const { error, retry, unsent } = judged;
    // Silence proves nothing; an answer does, and `not-applied` is a promise that nothing lives.
    mayBeApplied ||= writes && error.outcome === "unknown";
    // That one endpoint cannot be reached says less than what another answered.
    if (!unsent || told === undefined) told = error;
    if (exchanged.kind !== "answered" || error.code === "starting-or-draining") {
      endpoints.rest(endpoint);
    }
    tried.add(endpoint);

    const freeFailover = unsent && endpoints.hasUntried(tried);
    const pauseMs = freeFailover ? 0 : pauseBefore(attempt, error, means);
    if (
      retry === "no" ||
      (!freeFailover && attempt >= limits.attemptsMax) ||
      modules.now() + pauseMs >= deadline ||
      (!unsent && !budget.spend())
    ) {
      throw finalError(told, { writes, mayBeApplied, writeId });
    }
    if (freeFailover) continue;
    attempt += 1;
    await modules.sleep(pauseMs, call.signal);
  }
}

function isWrite<T>({ writeId, batchBody }: Call<T>): boolean {
  return writeId !== undefined || batchBody !== undefined;
}

function attemptTimeoutMs<T>(call: Call<T>, limits: ClientLimits): number {
  return limits.attemptTimeoutMs ?? Math.max(ATTEMPT_TIMEOUT_MIN_MS, call.timeoutMs / 2);
}

function requestOf<T>(
  { method, target, headers, body, batchBody, writeId }: Call<T>,
  { timeoutMs, attempt }: { timeoutMs: number; attempt: number },
): HttpRequest {
  const marginMs = Math.min(ANSWER_MARGIN_MAX_MS, timeoutMs / 10);
  const nodeTimeoutMs = Math.floor(Math.min(timeoutMs - marginMs, NODE_TIMEOUT_MAX_MS));
  const separator = target.includes("?") ? "&" : "?";
  return {
    method,
    path: `${target}${separator}timeout=${Math.max(1, nodeTimeoutMs)}`,
    headers: {
      ...headers,
      ...(writeId !== undefined && { "kv-write-id": writeId }),
      ...(writeId !== undefined && attempt >= 2 && { "kv-attempt": String(attempt) }),
    },
    body: batchBody === undefined ? body : batchBody(attempt),
  };
}

function judge<T>(
  call: Call<T>,
  { url }: Endpoint,
  exchanged: Exchanged,
): { readonly value: T } | Failed {
  if (exchanged.kind === "answered") {
    const interpreted = call.interpret(exchanged.answer);
    return "value" in interpreted ? interpreted : { ...interpreted, unsent: false };
  }
  const { cause } = exchanged;
  const detail = `${url}: ${cause.message === "" ? cause.name : cause.message}`;
  if (exchanged.kind === "unsent") {
    // undici refuses what cannot stand in a header; no other endpoint would take it either.
    const malformed = "code" in cause && cause.code === "UND_ERR_INVALID_ARG";
    const error = new KvError(malformed ? "header-invalid" : "unreachable", detail, {}, { cause });
    return { error, retry: malformed ? "no" : "after", unsent: true };
  }
  const readCode = exchanged.timedOut ? "read-timeout" : "unreachable";
  const code = isWrite(call) ? "write-unknown" : readCode;
  return {
    error: new KvError(code, detail, {}, { cause }),
    retry: ERRORS[code].retry,
    unsent: false,
  };
}

/** The node's wish, or exponential backoff, each with jitter so that clients do not return as one. */
function pauseBefore(attempt: number, error: KvError, { limits, modules }: Means): number {
  const wishedMs = error.data.retryAfterMs;
  if (wishedMs !== undefined) return wishedMs + modules.random() * limits.backoffMs;
  return (
    modules.random() * Math.min(limits.backoffMaxMs, limits.backoffMs * 2 ** Math.min(attempt, 20))
  );
}

/** The last attempt speaks only of itself; the caller must hear what holds for the whole write. */
function finalError(
  error: KvError,
  about: {
    readonly writes: boolean;
    readonly mayBeApplied: boolean;
    readonly writeId: string | undefined;
  },
): KvError {
  const { writes, mayBeApplied, writeId } = about;
  if (!writes) return error;
  const outcome = mayBeApplied ? "unknown" : error.outcome;
  return new KvError(
    error.code,
    error.message,
    { ...error.data, ...(writeId !== undefined && { writeId }), outcome },
    { cause: error },
  );
}
