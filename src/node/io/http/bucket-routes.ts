import { utf8Text } from "../../../core/bytes.ts";
import { parseProperties } from "../../../core/bucket-properties.ts";
import { KvError } from "../../../core/errors.ts";
import { parseBucketName } from "../../../core/ids.ts";
import type { BucketName } from "../../../core/ids.ts";
import type { BucketChange } from "../../../core/layout/bucket-change.ts";
import type { ClusterDocument } from "../../../core/layout/cluster-document.ts";
import { propertiesJson } from "../../../core/layout/document-json.ts";
import type { Operations } from "../../../ports/operations.ts";
import { readBody } from "./body.ts";
import type { Exchange } from "./exchange.ts";
import { answerJson } from "./node-routes.ts";
import { checkKvHeaders, parseQuery } from "./parameters.ts";
import { splitTarget } from "./target.ts";

const ONE = "/v1/buckets/";
const BODY_BYTES_MAX = 16 * 1024;

export interface BucketRouteModules {
  readonly operations: Pick<Operations, "caughtUp">;
  readonly view: { readonly document: ClusterDocument };
  /** @throws KvError why the change was not made, or may not have been */
  readonly changeBucket: (
    change: BucketChange,
    timeoutMs: number | undefined,
  ) => Promise<ClusterDocument>;
}

/** `GET /v1/buckets` */
export async function handleBuckets(
  exchange: Exchange,
  { operations, view }: BucketRouteModules,
): Promise<void> {
  const { query } = splitTarget(exchange.request.url ?? "");
  parseQuery(query, "bucket");
  checkKvHeaders(exchange.request, "read");
  await operations.caughtUp("not-applied");
  answerJson(exchange, allJson(view.document));
}

/** `GET | PUT | DELETE /v1/buckets/{bucket}` */
export async function handleBucket(exchange: Exchange, modules: BucketRouteModules): Promise<void> {
  const { method, url = "" } = exchange.request;
  const { path, query } = splitTarget(url);
  const { timeoutMs } = parseQuery(query, "bucket");
  checkKvHeaders(exchange.request, "read");
  const name = parseBucketName(path.slice(ONE.length));
  if (method === "DELETE") {
    await modules.changeBucket({ kind: "remove", name }, timeoutMs);
    return exchange.answer(204, []);
  }
  if (method === "PUT") {
    const expect = expectOf(exchange);
    const given = parseProperties(await bodyOf(exchange));
    const change = { kind: "put", name, given, expect } as const;
    const changed = await modules.changeBucket(change, timeoutMs);
    return answerJson(exchange, oneJson(changed, name));
  }
  await modules.operations.caughtUp("not-applied");
  answerJson(exchange, oneJson(modules.view.document, name));
}

/** No body gives no properties. */
async function bodyOf(exchange: Exchange): Promise<unknown> {
  const text = utf8Text(await readBody(exchange, BODY_BYTES_MAX));
  if (text === "") return {};
  try {
    return JSON.parse(text ?? "");
  } catch {
    throw new KvError("bucket-property-invalid", "the body is not JSON");
  }
}

/** `If-None-Match: *` creates, `If-Match: *` changes what exists; without them it may do either. */
function expectOf({ request }: Exchange): "any" | "absent" | "present" {
  const { "if-match": present, "if-none-match": absent } = request.headers;
  const all = [present, absent].filter((value) => value !== undefined);
  if (all.length > 1 || all.some((value) => value.trim() !== "*")) {
    throw new KvError("header-invalid", "buckets take If-Match: * or If-None-Match: *");
  }
  if (present !== undefined) return "present";
  return absent === undefined ? "any" : "absent";
}

function allJson(document: ClusterDocument): unknown {
  const { version, buckets, removed } = document;
  return {
    documentVersion: version,
    buckets: [...buckets.keys()].toSorted().map((name) => bucketJson(document, name)),
    removed: [...removed].toSorted(),
  };
}

function oneJson(document: ClusterDocument, name: BucketName): unknown {
  return { documentVersion: document.version, ...bucketJson(document, name) };
}

function bucketJson({ buckets }: ClusterDocument, name: BucketName): object {
  const properties = buckets.get(name);
  if (properties === undefined) {
    throw new KvError("bucket-not-found", `there is no bucket '${name}'`);
  }
  return { name, ...propertiesJson(properties) };
}
