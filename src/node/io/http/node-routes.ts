import { addressText } from "../../../core/config.ts";
import { KvError } from "../../../core/errors.ts";
import type { NodeView } from "../../../ports/node-view.ts";
import type { SystemTelemetry } from "../telemetry.ts";
import type { Exchange } from "./exchange.ts";
import { checkKvHeaders, parseQuery } from "./parameters.ts";
import { splitTarget } from "./target.ts";

export interface NodeRouteModules {
  readonly view: NodeView;
  readonly telemetry: SystemTelemetry;
}

/** The process runs and its event loop turns. */
export function livez(exchange: Exchange): void {
  checkPlain(exchange);
  answerJson(exchange, { state: "live" });
}

export function answerJson(exchange: Exchange, body: unknown): void {
  exchange.answer(
    200,
    ["Content-Type", "application/json", "Cache-Control", "no-store"],
    `${JSON.stringify(body, undefined, 2)}\n`,
  );
}

/**
 * Ready says that this node serves, never that its peers do: one failure must not take all out. A
 * clock that differs from most members' is this node's own failure.
 */
export function readyz(exchange: Exchange, { view }: NodeRouteModules): void {
  checkPlain(exchange);
  if (view.state === "draining") throw new KvError("starting-or-draining", "the node is draining");
  if (view.clockProblem !== undefined) throw new KvError("clock-unsafe", view.clockProblem);
  answerJson(exchange, { state: view.state });
}

export async function metrics(exchange: Exchange, { telemetry }: NodeRouteModules): Promise<void> {
  checkPlain(exchange);
  const { body, contentType } = await telemetry.scrape();
  exchange.answer(200, ["Content-Type", contentType], body);
}

export function showCluster(exchange: Exchange, { view }: NodeRouteModules): void {
  checkPlain(exchange);
  answerJson(exchange, clusterJson(view));
}

/** These routes take no parameters; none is ignored. */
function checkPlain({ request }: Exchange): void {
  parseQuery(splitTarget(request.url ?? "").query, "operator");
  checkKvHeaders(request, "read");
}

function clusterJson(view: NodeView): unknown {
  const { layout, version, buckets } = view.document;
  return {
    clusterId: view.clusterId,
    node: view.id,
    version: view.version,
    state: view.state,
    epoch: layout.epoch.number,
    epochHash: layout.epoch.hash.toString(16).padStart(8, "0"),
    documentVersion: version,
    partitions: layout.partitionCount,
    clockProblem: view.clockProblem ?? null,
    clockOffsetMaxMs: view.clockOffsetMaxMs,
    resync: view.resync ?? null,
    members: layout.members.map((member) => {
      const { state, clockOffset } = view.member(member.id);
      return {
        id: member.id,
        zone: member.zone ?? null,
        peerAddress: addressText(member.address),
        state: state.kind,
        reason: "reason" in state ? state.reason : null,
        clockOffsetMs: clockOffset === undefined ? null : Math.round(clockOffset.offsetMs),
      };
    }),
    buckets: [...buckets].map(([name, properties]) => ({ name, ...properties })),
  };
}
