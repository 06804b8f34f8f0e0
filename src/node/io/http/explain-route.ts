import { addressText } from "../../../core/config.ts";
import type { ReadForecast } from "../../../core/explain/read-forecast.ts";
import type { ReplicaFacts } from "../../../core/explain/explanation.ts";
import type { RecordFacts, VersionFacts } from "../../../core/explain/record-facts.ts";
import { msOfStamp, STAMPS_PER_MS } from "../../../core/hlc.ts";
import type { Stamp } from "../../../core/hlc.ts";
import type { Member } from "../../../core/layout/layout.ts";
import { dotText } from "../../../core/version/dot.ts";
import type { NodeView } from "../../../ports/node-view.ts";
import type { ExplainResult, Operations, Placement } from "../../../ports/operations.ts";
import type { Exchange } from "./exchange.ts";
import { answerJson } from "./node-routes.ts";
import { checkConditionals, checkKvHeaders, parseQuery } from "./parameters.ts";
import type { KeyTarget } from "./target.ts";

interface ExplainModules {
  readonly operations: Operations;
  readonly view: NodeView;
}

export function asksToExplain({ query }: KeyTarget): boolean {
  return query.split("&").some((pair) => pair === "explain" || pair.startsWith("explain="));
}

/** `GET …?explain`, for operators: what each replica holds, or where the key lives. */
export async function explainKey(
  exchange: Exchange,
  { bucket, key, query }: KeyTarget,
  { operations, view }: ExplainModules,
): Promise<void> {
  checkKvHeaders(exchange.request, "read");
  checkConditionals(exchange.request, "read");
  const { explain, timeoutMs } = parseQuery(query, "explain");
  const placement = placementJson(operations.locate(bucket, key), view);
  if (explain === "placement") return answerJson(exchange, placement);
  const { requestId } = exchange;
  const asked = operations.explain({ requestId, bucket, key, timeoutMs });
  const explained = await exchange.timing.of("quorum", asked);
  answerJson(exchange, { ...placement, ...explanationJson(explained) });
}

function placementJson(
  { partition, epoch, properties, preferenceList }: Placement,
  view: NodeView,
) {
  const { mode, n, r, w, readRepair } = properties;
  return {
    node: view.id,
    partition,
    epoch: epoch.number,
    epochHash: epoch.hash.toString(16).padStart(8, "0"),
    mode,
    n,
    r,
    w,
    readRepair,
    preferenceList: preferenceList.map((member) => memberJson(member, view)),
  };
}

function memberJson({ id, zone, address }: Member, view: NodeView) {
  const { state } = view.member(id);
  return {
    node: id,
    zone: zone ?? null,
    peerAddress: addressText(address),
    state: state.kind,
    reason: "reason" in state ? state.reason : null,
  };
}

function explanationJson({ clock, newest, replicas, reads }: ExplainResult) {
  return {
    clock: timeOf(clock),
    newest: newest.map(dotText),
    replicas: replicas.map(replicaJson),
    reads: reads?.map(readJson) ?? null,
  };
}

function replicaJson(replica: ReplicaFacts) {
  const { node, failure } = replica;
  if (failure !== undefined) {
    const { kind: answer, reason } = failure;
    return { node, answer, reason, clock: null, relation: null, inSync: false, record: null };
  }
  const { clock, relation, inSync, record } = replica;
  return {
    node,
    answer: "ok",
    reason: null,
    clock: timeOf(clock),
    relation,
    inSync,
    record: record === undefined ? null : recordJson(record),
  };
}

function recordJson({ versions, ...facts }: RecordFacts) {
  return { ...facts, versions: versions.map(versionJson) };
}

function versionJson(version: VersionFacts) {
  const { actor, stamp, writeId, content, expiresAt, expiredBy } = version;
  return {
    dot: dotText(version),
    actor,
    stamp,
    time: timeOf(stamp),
    counter: stamp % STAMPS_PER_MS,
    writeId,
    tombstone: content === undefined,
    valueBytes: content?.bytes ?? null,
    contentType: content?.contentType ?? null,
    contentEncoding: content?.contentEncoding ?? null,
    expiresAt: expiresAt === undefined ? null : new Date(expiresAt).toISOString(),
    expiredBy,
  };
}

function readJson({ r, results }: ReadForecast) {
  return {
    r,
    results: results.map(({ versions, ...result }) => ({
      ...result,
      versions: versions.map(dotText),
    })),
  };
}

function timeOf(stamp: Stamp): string {
  return new Date(msOfStamp(stamp)).toISOString();
}
