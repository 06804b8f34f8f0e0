import type { KvClient } from "../../client/client.ts";
import type { AskOptions } from "../../client/call-options.ts";
import type { ClusterStatus } from "../../client/cluster-status.ts";
import { errorLine } from "../output.ts";
import type { Problem } from "../problems.ts";

/** What one endpoint told about itself. Its JSON form is stable. */
export interface EndpointReport {
  readonly endpoint: string;
  /** `ready`, `not-ready`, or `unreachable` when it gave no usable answer. */
  readonly state: "ready" | "not-ready" | "unreachable";
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
    return { endpoint, state: "unreachable", status: null, reason: errorLine(error) };
  }
}

export interface Health {
  readonly verdict: "healthy" | "unhealthy" | "unreachable";
  readonly summary: string;
  readonly problems: readonly Problem[];
}
