import { afterEach, describe, expect, test } from "vitest";
import type { HttpApi } from "../../../../src/node/io/http/http-api.ts";
import type { NodeView } from "../../../../src/ports/node-view.ts";
import { fetchFrom, openApi } from "./api.ts";

let api: HttpApi | undefined;

afterEach(() => api?.drain());

/** The answer of a node's client port, over a socket. */
async function ask(path: string, view: Partial<NodeView> = {}): Promise<Response> {
  api = await openApi({ view });
  return fetchFrom(api, path);
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

describe.each(["/livez", "/readyz", "/metrics", "/v1/cluster"])("%s", (path) => {
  test("ignores no parameter and no KV header", async () => {
    const asked = await ask(`${path}?verbose`);
    expect(await asked.json()).toMatchObject({ code: "parameter-invalid", status: 400 });
    await api?.drain();
    api = await openApi({});
    const told = await fetchFrom(api, path, { headers: { "kv-session": "x" } });
    expect(await told.json()).toMatchObject({ code: "header-invalid", status: 400 });
  });

  test("takes GET and HEAD, and says so to other methods", async () => {
    api = await openApi({});
    const head = await fetchFrom(api, path, { method: "HEAD" });
    expect([head.status, await head.text()]).toEqual([200, ""]);
    const put = await fetchFrom(api, path, { method: "PUT", body: "x" });
    expect([put.status, put.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  });
});
