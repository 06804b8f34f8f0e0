import type { KvClient } from "../../client/client.ts";
import type { AskOptions } from "../../client/call-options.ts";
import type { ClusterStatus } from "../../client/cluster-status.ts";
import { KvError } from "../../core/errors.ts";
import type { ErrorCode } from "../../core/errors.ts";
import { errorLine } from "../output.ts";
import type { Problem } from "../problems.ts";
import type { BucketEffect } from "./effects.ts";

/** What one endpoint told about itself. Its JSON form is stable. */
export interface EndpointReport {
  readonly endpoint: string;
  /** `no-node`: something answered, but as no node does, such as a proxy; `unreachable`: nothing did. */
  readonly state: "ready" | "not-ready" | "no-node" | "unreachable";
  /** null: it did not say. */
  readonly status: ClusterStatus | null;
  /** Why it is not ready, or what it answered instead. */
  readonly reason: string | null;
}

/** Never rejects: an endpoint that does not answer is a finding. */
export async function examine(
  client: KvClient,
  endpoint: string,
  options: AskOptions,
): Promise<EndpointReport> {
  try {
    const { ready, detail } = await client.ready(endpoint, options);
    const status = await client.cluster(endpoint, options);
    return {
      endpoint,
      state: ready ? "ready" : "not-ready",
      status,
      reason: ready || detail === "" ? null : detail.slice(0, 200),
    };
  } catch (error) {
    options.signal?.throwIfAborted();
    const state = isForeign(error) ? "no-node" : "unreachable";
    return { endpoint, state, status: null, reason: errorLine(error) };
  }
}

/** Of a question that every node answers: what proxies and other servers say instead. */
function isForeign(error: unknown): boolean {
  return error instanceof KvError && FOREIGN.has(error.code);
}

const FOREIGN: ReadonlySet<ErrorCode> = new Set([
  "answer-invalid",
  "route-not-found",
  "method-not-allowed",
  "forbidden",
  "gateway-unavailable",
  "gateway-timeout",
] as const);

export interface Health {
  readonly verdict: "healthy" | "unhealthy" | "unreachable";
  readonly summary: string;
  readonly problems: readonly Problem[];
  /** For clients, by bucket. Empty if it cannot be told. */
  readonly effects: readonly BucketEffect[];
}
