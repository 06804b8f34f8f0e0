import { afterAll, beforeAll, expect, test } from "vitest";
import { KvClient } from "../../src/client/client.ts";
import { startCluster } from "../support/cluster.ts";
import type { Cluster } from "../support/cluster.ts";
import { startFront } from "../support/front.ts";
import type { Front } from "../support/front.ts";
import { describeFronts } from "../support/fronts.ts";
import { send } from "../support/raw-http.ts";
import type { RawResponse } from "../support/raw-http.ts";
import { textOf } from "../support/reading.ts";
import { LossyFront } from "./nemesis/lossy-front.ts";
import type { LostAnswer, Loss } from "./nemesis/lossy-front.ts";

/** Instead of 2.5 s, so that a lost answer is short. */
const READ_TIMEOUT_MS = 800;
/** Each meets nodes in another order. */
const REPEATS = 8;

let cluster: Cluster;
let front: LossyFront;
let proxy: Front;
/** Asks the nodes past proxy and relays, as another client's proxy would. */
let other: KvClient;

function put(port: number, key: string, options: { id: string; value: string; attempt?: string }) {
  const { id, value, attempt } = options;
  return send({
    port,
    method: "PUT",
    target: `/v1/kv/default/${key}`,
    headers: { "KV-Write-Id": id, ...(attempt !== undefined && { "KV-Attempt": attempt }) },
    body: value,
  });
}

/** What a quorum read finds through each node. */
async function readEverywhere(key: string): Promise<readonly (string | undefined)[]> {
  return Promise.all(
    cluster.urls.map(async (url) => {
      await using client = new KvClient({ endpoints: [url] });
      return textOf(await client.get(key, { r: 2 }));
    }),
  );
}

const problemOf = ({ body }: RawResponse): unknown => JSON.parse(body);

describeFronts("a write that reached W and whose answer was lost", (program) => {
  beforeAll(async () => {
    cluster = await startCluster({ nodes: 3 });
    front = await LossyFront.open(Object.values(cluster.nodes));
    const upstreams = front.addresses;
    proxy = await startFront(program, { upstreams, readTimeoutMs: READ_TIMEOUT_MS });
    other = new KvClient({ endpoints: cluster.urls });
  });

  afterAll(async () => {
    await other?.close();
    await proxy?.stop();
    await front?.[Symbol.asyncDispose]();
    await cluster?.stop();
  });

  test.each(["reset", "hang"] satisfies Loss[])(
    "has one effect when the proxy tries it again, also if it was superseded in between (N=3 W=2, %s)",
    async (loss) => {
      for (let i = 0; i < REPEATS; i++) {
        const key = `${loss}-${i}`;
        const id = `${key}-ours`;
        const seen = front.writes.length;
        const losing = front.loseNextAnswer(loss, async () => {
          await other.put(key, "theirs");
        });
        const answer = await put(proxy.port, key, { id, value: "ours" });
        const lost = await losing;

        expect(lost.answer.status).toBe(204);
        const tries = front.writes.slice(seen).map(({ headers }) => headers);
        expect(tries.map((headers) => headers["kv-write-id"])).toEqual([id, id]);
        expect(tries.map((headers) => headers["kv-attempt"])).toEqual([undefined, "2"]);
        expect(answer).toMatchObject({ status: 204, headers: { etag: lost.answer.headers.etag } });
        expect(await readEverywhere(key), `${key} through each node`).toEqual([
          "theirs",
          "theirs",
          "theirs",
        ]);
      }
    },
  );

  test(`has one effect when the client library tries it again (N=3 W=2, ${REPEATS} times)`, async () => {
    const endpoints = front.addresses.map((address) => `http://${address}`);
    await using client = new KvClient({ endpoints });
    for (let i = 0; i < REPEATS; i++) {
      const key = `library-${i}`;
      const losing = front.loseNextAnswer("reset", async () => {
        await other.put(key, "theirs");
      });
      const written = await client.put(key, "ours");
      const lost = await losing;

      expect(written).toMatchObject({ attempts: 2, etag: lost.answer.headers.etag });
      expect(await readEverywhere(key), `${key} through each node`).toEqual([
        "theirs",
        "theirs",
        "theirs",
      ]);
    }
  });

  test("is refused with 422 when its id comes again with other content, through any node", async () => {
    const [first = ""] = cluster.urls;
    const id = "reused-1";
    await using client = new KvClient({ endpoints: [first] });
    await client.put("reused", "ours", { writeId: id });
    for (const url of cluster.urls) {
      const again = await put(Number(new URL(url).port), "reused", { id, value: "something else" });
      expect(again.status).toBe(422);
      expect(problemOf(again)).toMatchObject({ code: "write-id-reused", retry: "no" });
    }
    expect(await readEverywhere("reused")).toEqual(["ours", "ours", "ours"]);
  });

  // Last, because it leaves one node alone.
  test("is refused with outcome unknown when the quorum is gone at the second try", async () => {
    const nodes = Object.values(cluster.nodes);
    let survivor = nodes[0];
    const losing = front.loseNextAnswer("reset", async ({ node }: LostAnswer) => {
      survivor = nodes.find(({ id }) => id !== node);
      await Promise.all(nodes.filter((it) => it !== survivor).map((it) => it.kill()));
    });
    const answer = await put(proxy.port, "alone", { id: "alone-1", value: "ours" });

    expect((await losing).answer.status).toBe(204);
    expect([502, 504]).toContain(answer.status);
    const unknown = { outcome: "unknown", retry: "same-write-id", writeId: "alone-1" };
    expect(problemOf(answer)).toMatchObject(unknown);

    const port = Number(new URL(survivor?.url ?? "").port);
    const second = await put(port, "alone", { id: "alone-1", value: "ours", attempt: "2" });
    expect(second.status).toBe(504);
    expect(problemOf(second)).toMatchObject({ code: "write-unknown", ...unknown });
    const first = await put(port, "alone", { id: "alone-2", value: "ours" });
    expect(first.status).toBe(503);
    expect(problemOf(first)).toMatchObject({ code: "write-unavailable", outcome: "not-applied" });
  });
});
