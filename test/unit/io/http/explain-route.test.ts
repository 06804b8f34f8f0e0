import { afterEach, describe, expect, test } from "vitest";
import { defaultBucketProperties } from "../../../../src/core/bucket-properties.ts";
import { utf8Text } from "../../../../src/core/bytes.ts";
import { stampOfMs } from "../../../../src/core/hlc.ts";
import type { Stamp } from "../../../../src/core/hlc.ts";
import { parseActorId, parseNodeId, parseWriteId, parseZone } from "../../../../src/core/ids.ts";
import type { HttpApi } from "../../../../src/node/io/http/http-api.ts";
import type { ExplainRequest, ExplainResult, Placement } from "../../../../src/ports/operations.ts";
import { fetchFrom, openApi } from "./api.ts";

const [N1, N2, N3] = [parseNodeId("n1"), parseNodeId("n2"), parseNodeId("n3")];
const AT_MS = Date.UTC(2026, 10, 25);
const VERSION = {
  actor: parseActorId("a".repeat(24)),
  stamp: (stampOfMs(AT_MS) + 3) as Stamp,
  writeId: parseWriteId("w1"),
  content: { bytes: 5, contentType: "text/plain", contentEncoding: undefined },
  expiresAt: AT_MS + 1_000,
  expiredBy: ["replica"],
} as const;
const DOT = `${"a".repeat(24)}-${VERSION.stamp.toString(36)}`;

const PLACEMENT: Placement = {
  partition: 17,
  epoch: { number: 1, hash: 0xabc },
  properties: defaultBucketProperties(3),
  preferenceList: [
    { id: N2, zone: parseZone("east"), address: { host: "10.0.0.2", port: 7180 } },
    { id: N1, zone: undefined, address: { host: "10.0.0.1", port: 7180 } },
    { id: N3, zone: undefined, address: { host: "10.0.0.3", port: 7180 } },
  ],
};

const EXPLAINED: ExplainResult = {
  clock: stampOfMs(AT_MS + 2_000),
  newest: [VERSION],
  replicas: [
    {
      node: N2,
      failure: undefined,
      clock: stampOfMs(AT_MS + 2_001),
      relation: "equal",
      inSync: true,
      record: { bytes: 99, digest: "d1", recentWrites: 2, versions: [VERSION] },
    },
    {
      node: N1,
      failure: undefined,
      clock: stampOfMs(AT_MS),
      relation: "absent",
      inSync: false,
      record: undefined,
    },
    { node: N3, failure: { kind: "refused", reason: "not-sent" } },
  ],
  reads: [
    { r: 1, results: [{ outcome: "found", versions: [VERSION], repairs: false, from: [[N2]] }] },
  ],
};

let api: HttpApi | undefined;
const asked: ExplainRequest[] = [];

afterEach(() => {
  asked.length = 0;
  return api?.drain();
});

async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const operations = {
    locate: () => PLACEMENT,
    explain: (request: ExplainRequest) => {
      asked.push(request);
      return Promise.resolve(EXPLAINED);
    },
  };
  api = await openApi({ operations, view: { bucket: () => PLACEMENT.properties } });
  return fetchFrom(api, path, init);
}

const WHERE = {
  node: "n1",
  partition: 17,
  epoch: 1,
  epochHash: "00000abc",
  mode: "lww",
  n: 3,
  r: 2,
  w: 2,
  readRepair: "blocking",
  preferenceList: [
    { node: "n2", zone: "east", peerAddress: "10.0.0.2:7180", state: "connected", reason: null },
    { node: "n1", zone: null, peerAddress: "10.0.0.1:7180", state: "self", reason: null },
    {
      node: "n3",
      zone: null,
      peerAddress: "10.0.0.3:7180",
      state: "suspect",
      reason: "it is silent",
    },
  ],
};

describe("GET ?explain", () => {
  test("tells placement, replicas and reads; times as ISO, absent fields as null", async () => {
    const answer = await ask("/v1/kv/default/k?explain&timeout=300");
    expect(answer.status).toBe(200);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(await answer.json()).toEqual({
      ...WHERE,
      clock: "2026-11-25T00:00:02.000Z",
      newest: [DOT],
      replicas: [
        {
          node: "n2",
          answer: "ok",
          reason: null,
          clock: "2026-11-25T00:00:02.001Z",
          relation: "equal",
          inSync: true,
          record: {
            bytes: 99,
            digest: "d1",
            recentWrites: 2,
            versions: [
              {
                dot: DOT,
                actor: "a".repeat(24),
                stamp: VERSION.stamp,
                time: "2026-11-25T00:00:00.000Z",
                counter: 3,
                writeId: "w1",
                tombstone: false,
                valueBytes: 5,
                contentType: "text/plain",
                contentEncoding: null,
                expiresAt: "2026-11-25T00:00:01.000Z",
                expiredBy: ["replica"],
              },
            ],
          },
        },
        {
          node: "n1",
          answer: "ok",
          reason: null,
          clock: "2026-11-25T00:00:00.000Z",
          relation: "absent",
          inSync: false,
          record: null,
        },
        {
          node: "n3",
          answer: "refused",
          reason: "not-sent",
          clock: null,
          relation: null,
          inSync: false,
          record: null,
        },
      ],
      reads: [
        { r: 1, results: [{ outcome: "found", repairs: false, from: [["n2"]], versions: [DOT] }] },
      ],
    });
    expect(asked).toMatchObject([{ bucket: "default", timeoutMs: 300 }]);
  });

  test("of kv64 means the same key", async () => {
    expect((await ask("/v1/kv64/default/w7w?explain")).status).toBe(200);
    expect(asked.map(({ key }) => utf8Text(key))).toEqual(["ü"]);
  });

  test("=placement says where the key lives and asks nobody", async () => {
    expect(await (await ask("/v1/kv/default/k?explain=placement")).json()).toEqual(WHERE);
    expect(asked).toEqual([]);
  });

  test.each([
    ["with an unknown value", "GET", "explain=1"],
    ["twice", "GET", "explain&explain"],
    ["beside r", "GET", "r=1&explain"],
    ["on a PUT", "PUT", "explain"],
    ["on a DELETE", "DELETE", "explain"],
  ])("%s is refused", async (_name, method, query) => {
    const answer = await ask(`/v1/kv/default/k?${query}`, { method });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ code: "parameter-invalid" });
    expect(asked).toEqual([]);
  });
});
