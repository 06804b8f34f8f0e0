import { base64url, EMPTY_BYTES, utf8Text } from "../../../core/bytes.ts";
import type { Key } from "../../../core/ids.ts";
import { LIST_LIMIT_MAX } from "../../../ports/operations.ts";
import type { Operations } from "../../../ports/operations.ts";
import type { Exchange } from "./exchange.ts";
import { checkConditionals, checkKvHeaders, parseQuery } from "./parameters.ts";
import { quorumText } from "./quorum-text.ts";
import { parseListTarget } from "./target.ts";

interface ListRouteModules {
  readonly operations: Pick<Operations, "list">;
}

/** `GET /v1/kv/{bucket}/?prefix=&limit=&cursor=`: a page of the bucket's keys. */
export async function handleList(
  exchange: Exchange,
  { operations }: ListRouteModules,
): Promise<void> {
  const { request } = exchange;
  const { bucket, query } = parseListTarget(request.url ?? "");
  checkKvHeaders(request, "read");
  checkConditionals(request, "read");
  const { prefix, limit, cursor, r, timeoutMs } = parseQuery(query, "list");
  const page = await operations.list({
    bucket,
    prefix: prefix ?? EMPTY_BYTES,
    cursor,
    limit: limit ?? LIST_LIMIT_MAX,
    r,
    timeoutMs,
  });
  const headers = ["Content-Type", "application/json", "Cache-Control", "no-store"];
  headers.push("KV-Quorum", quorumText(page.quorum));
  const body = { keys: page.keys.map(keyJson), cursor: page.cursor ?? null };
  exchange.answer(200, headers, JSON.stringify(body));
}

/** As text where it is text, which is what most keys are. */
function keyJson(key: Key): { key: string } | { key64: string } {
  const text = utf8Text(key);
  return text === undefined ? { key64: base64url(key) } : { key: text };
}
