import { afterEach, describe, expect, test } from "vitest";
import { parsePeers } from "../../../../src/core/config.ts";
import { firstClusterDocument } from "../../../../src/core/layout/cluster-document.ts";
import { HttpApi } from "../../../../src/node/io/http/http-api.ts";
import type { SystemTelemetry } from "../../../../src/node/io/telemetry.ts";
import type { MemberView, NodeView } from "../../../../src/ports/node-view.ts";
import type { Operations } from "../../../../src/ports/operations.ts";
import { RecordingTelemetry } from "../../../../src/testing/recording-telemetry.ts";

const NOBODY: Operations = {
  read: () => Promise.reject(new Error("nobody reads")),
  write: () => Promise.reject(new Error("nobody writes")),
};
const MEMBERS = new Map<string, MemberView>([
  ["n1", { state: { kind: "self" }, clockOffset: undefined }],
  ["n2", { state: { kind: "connected" }, clockOffset: { offsetMs: -2_000.4, errorMs: 2 } }],
  ["n3", { state: { kind: "suspect", reason: "it is silent" }, clockOffset: undefined }],
]);

let api: HttpApi | undefined;

afterEach(() => api?.drain());

/** The answer of a node's client port, over a socket. */
async function ask(path: string, view: Partial<NodeView> = {}): Promise<Response> {
  const { log, metrics } = new RecordingTelemetry();
  const telemetry: SystemTelemetry = {
    log,
    metrics,
    scrape: () => Promise.resolve({ body: "", contentType: "text/plain" }),
    flush: () => {},
  };
  const whole: NodeView = {
    id: "n1",
    clusterId: "c1",
    version: "0.0.0",
    state: "ready",
    document: firstClusterDocument(parsePeers("n1=h1:1,n2=h2:2,n3=h3:3")),
    clockOffsetMaxMs: 500,
    clockProblem: undefined,
    resync: undefined,
    member: (node) => MEMBERS.get(node) ?? { state: { kind: "self" }, clockOffset: undefined },
    bucket: () => undefined,
    ...view,
  };
  api = await HttpApi.open(
    { address: { host: "127.0.0.1", port: 0 }, clientConnectionsMax: 10 },
    { operations: NOBODY, view: whole, telemetry },
  );
  const { host, port } = api.address;
  return fetch(`http://${host}:${port}${path}`, { headers: { connection: "close" } });
}

describe("/readyz", () => {
  test("is 200 on a node whose clock is right", async () => {
    expect((await ask("/readyz")).status).toBe(200);
  });

  test("is 503 clock-unsafe on one whose clock is wrong, and names the offset", async () => {
    const answer = await ask("/readyz", { clockProblem: "n2 is 2000 ms behind" });
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({
      code: "clock-unsafe",
      detail: "n2 is 2000 ms behind",
    });
  });
});

describe("/v1/cluster", () => {
  test("tells each member's state and the offset of its clock", async () => {
    const { members, ...rest } = (await (await ask("/v1/cluster")).json()) as Record<
      string,
      unknown
    >;
    expect(rest).toMatchObject({ clockProblem: null, clockOffsetMaxMs: 500, resync: null });
    expect(members).toEqual([
      expect.objectContaining({ id: "n1", state: "self", reason: null, clockOffsetMs: null }),
      expect.objectContaining({ id: "n2", state: "connected", clockOffsetMs: -2_000 }),
      expect.objectContaining({ id: "n3", state: "suspect", reason: "it is silent" }),
    ]);
  });

  test("says what is wrong with the node's own clock", async () => {
    const answer = await ask("/v1/cluster", { clockProblem: "n2 is 2000 ms behind" });
    expect(await answer.json()).toMatchObject({ clockProblem: "n2 is 2000 ms behind" });
  });
});
