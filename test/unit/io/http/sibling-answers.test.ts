import { afterEach, describe, expect, test } from "vitest";
import { utf8 } from "../../../../src/core/bytes.ts";
import { DEFAULT_BUCKET } from "../../../../src/core/bucket.ts";
import { defaultBucketProperties } from "../../../../src/core/bucket-properties.ts";
import type { Mode } from "../../../../src/core/bucket.ts";
import { stampOfMs } from "../../../../src/core/hlc.ts";
import { parseActorId, parseWriteId } from "../../../../src/core/ids.ts";
import { dotText } from "../../../../src/core/version/dot.ts";
import type { HttpApi } from "../../../../src/node/io/http/http-api.ts";
import type { ReadResult, SiblingView, WriteRequest } from "../../../../src/ports/operations.ts";
import { fetchFrom, openApi } from "./api.ts";

const quorum = { needed: 2, acked: 2, epoch: 1 };

function sibling(name: string, value: string | undefined, expired = false): SiblingView {
  const content = value === undefined ? undefined : { value: utf8(value), contentType: "text/x" };
  return {
    version: {
      actor: parseActorId("a".repeat(24)),
      stamp: stampOfMs(1_700_000_000_000 + name.length),
      writeId: parseWriteId(name),
      content: content && { ...content, contentEncoding: undefined },
      expiresAt: undefined,
    },
    expired,
  };
}

const TWO: ReadResult = {
  version: undefined,
  expired: false,
  siblings: [sibling("one", "1"), sibling("three", undefined)],
  context: "the-context",
  quorum,
};
const [ONE, NONE] = TWO.siblings;

let api: HttpApi | undefined;
const written: WriteRequest[] = [];

afterEach(() => api?.drain());

async function ask(
  about: { result?: ReadResult; mode?: Mode; query?: string },
  init: RequestInit = {},
): Promise<Response> {
  const { result = TWO, mode = "siblings", query = "" } = about;
  const properties = { ...defaultBucketProperties(3), mode };
  api = await openApi({
    operations: {
      read: () => Promise.resolve(result),
      write: (request) => {
        written.push(request);
        const version = { stamp: stampOfMs(5), writeId: parseWriteId("w") };
        return Promise.resolve({ version, context: "the-next", quorum });
      },
    },
    view: { bucket: () => properties },
  });
  return fetchFrom(api, `/v1/kv/${DEFAULT_BUCKET}/k${query}`, init);
}

describe("siblings", () => {
  test("are 300 with every version, null for a delete, one context and one ETag", async () => {
    const answer = await ask({});
    expect([answer.status, answer.headers.get("kv-context")]).toEqual([300, "the-context"]);
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(await answer.json()).toEqual([
      {
        version: ONE && dotText(ONE.version),
        value: "MQ==",
        contentType: "text/x",
        writeId: "one",
        lastModified: "2023-11-14T22:13:20.003Z",
      },
      expect.objectContaining({ version: NONE && dotText(NONE.version), value: null }),
    ]);
  });

  test("are 200 for who names their type in Accept", async () => {
    const type = "application/vnd.kv.siblings+json";
    const answer = await ask({}, { headers: { accept: `text/html, ${type}` } });
    expect([answer.status, answer.headers.get("content-type")]).toEqual([200, type]);
  });

  test("are told by their ETag: 304 while they are the same, another when one expires", async () => {
    const etag = (await ask({})).headers.get("etag") ?? "";
    await api?.drain();
    const same = await ask({}, { headers: { "if-none-match": etag } });
    expect([same.status, same.headers.get("kv-context")]).toEqual([304, "the-context"]);
    await api?.drain();
    const siblings = [sibling("one", "1", true), sibling("three", "3")];
    expect((await ask({ result: { ...TWO, siblings } })).headers.get("etag")).not.toBe(etag);
  });

  test("on HEAD have status and context without a body", async () => {
    const answer = await ask({}, { method: "HEAD" });
    expect([answer.status, answer.headers.get("kv-context")]).toEqual([300, "the-context"]);
    expect(await answer.text()).toBe("");
  });
});

describe("?version=", () => {
  test("is that sibling, without the context", async () => {
    const answer = await ask({ query: `?version=${ONE && dotText(ONE.version)}` });
    expect([answer.status, await answer.text()]).toEqual([200, "1"]);
    expect(answer.headers.get("kv-context")).toBeNull();
  });

  test("of a delete and of no sibling is 404, in a bucket of single versions 409", async () => {
    const deleted = await ask({ query: `?version=${NONE && dotText(NONE.version)}` });
    expect([deleted.status, deleted.headers.get("kv-deleted")]).toEqual([404, "true"]);
    await api?.drain();
    const query = `?version=${"b".repeat(24)}-1`;
    expect((await ask({ query })).status).toBe(404);
    await api?.drain();
    expect((await ask({ query, mode: "lww" })).status).toBe(409);
  });
});

describe("KV-Context", () => {
  test("stands on the 404 of a delete and of an absent key", async () => {
    for (const version of [NONE?.version, undefined]) {
      const answer = await ask({ result: { ...TWO, version, siblings: [] } });
      expect([answer.status, answer.headers.get("kv-context")]).toEqual([404, "the-context"]);
      await api?.drain();
    }
  });

  test("stands on a single value, and goes from a PUT to the coordinator and back", async () => {
    const one = await ask({ result: { ...TWO, version: ONE?.version, siblings: [] } });
    expect([one.status, one.headers.get("kv-context")]).toEqual([200, "the-context"]);
    await api?.drain();
    const init = { method: "PUT", body: "v", headers: { "kv-context": "mine" } };
    const answer = await ask({}, init);
    expect([answer.status, answer.headers.get("kv-context")]).toEqual([204, "the-next"]);
    expect(written.at(-1)?.context).toBe("mine");
  });
});
