import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { KvError } from "../../../src/core/errors.ts";
import { parseBucketName } from "../../../src/core/ids.ts";
import { parsePeers } from "../../../src/core/config.ts";
import type { BucketChange } from "../../../src/core/layout/bucket-change.ts";
import { firstClusterDocument } from "../../../src/core/layout/cluster-document.ts";
import { documentJson } from "../../../src/core/layout/document-json.ts";
import { decodeRequest } from "../../../src/core/messages/request.ts";
import type { Message } from "../../../src/testing/in-process-network.ts";
import { Documents } from "../../../src/node/document/documents.ts";
import { metaKey } from "../../../src/node/replica/sealed.ts";
import { MemoryDisk } from "../../../src/testing/memory-storage.ts";
import { failureOf, valueOf, VirtualCluster } from "../../support/virtual-cluster.ts";
import type { VirtualNode } from "../../support/virtual-node.ts";

const CARTS = parseBucketName("carts");
const CREATE = {
  kind: "put",
  name: CARTS,
  given: { mode: "siblings" },
  expect: "absent",
} as const satisfies BucketChange;

function toW(w: number): BucketChange {
  return { kind: "put", name: CARTS, given: { w }, expect: "present" };
}

async function open(): Promise<VirtualCluster> {
  const cluster = await VirtualCluster.open();
  await cluster.time.advance(1_000);
  return cluster;
}

function isHeartbeat({ leg, from, payload }: Message, node: VirtualNode): boolean {
  return (
    leg === "request" && from === node.id && decodeRequest(payload).request.kind === "heartbeat"
  );
}

/** Loses what is sent to the node once the first member has the change. @returns the fate before. */
function cutOffOnceChanged(cluster: VirtualCluster, node: VirtualNode): VirtualCluster["fate"] {
  const { fate } = cluster;
  const first = cluster.node(1);
  cluster.fate = (message) =>
    message.to === node.id && first.document.buckets.has(CARTS) ? [] : fate(message);
  return fate;
}

function documentOf(node: VirtualNode): string {
  return JSON.stringify(documentJson(node.document));
}

describe("a change of the buckets (3 nodes)", () => {
  test.each([1, 2, 3])("asked of n%i is on every node when it is answered", async (asked) => {
    const cluster = await open();
    const document = await cluster.run(cluster.node(asked).changeBucket(CREATE));
    expect(document.buckets.get(CARTS)).toMatchObject({ mode: "siblings", n: 3, r: 2, w: 2 });
    for (const node of cluster.nodes) {
      expect(node.document.version).toBe(document.version);
      await cluster.run(node.put("k", node.id, { bucket: CARTS }));
    }
    for (const node of cluster.nodes) {
      expect(valueOf(await cluster.run(node.get("k", { bucket: CARTS })))).toBe("n3");
    }
  });

  test("outlives every node", async () => {
    const cluster = await open();
    const { version } = await cluster.run(cluster.node(2).changeBucket(CREATE));
    for (const node of cluster.nodes) node.losePower();
    for (const node of cluster.nodes) await cluster.run(node.start());
    expect(cluster.nodes.map(({ document }) => document.version)).toEqual(
      cluster.nodes.map(() => version),
    );
  });

  test.each([1, 2, 3])("is refused, and changes nothing, while n%i is down", async (down) => {
    const cluster = await open();
    const [gone] = [cluster.node(down)];
    gone.kill();
    const up = cluster.nodes.filter((node) => node !== gone);
    for (const node of up) {
      const failure = await failureOf(cluster.run(node.changeBucket(CREATE)));
      expect(failure).toMatchObject({ code: "members-missing", outcome: "not-applied" });
      expect(failure.message).toContain(gone.id);
    }
    expect(up.map(({ document }) => document.buckets.has(CARTS))).toEqual([false, false]);
    await cluster.run(gone.start());
    await cluster.connected();
    expect((await cluster.run(gone.changeBucket(CREATE))).buckets.has(CARTS)).toBe(true);
  });

  test("that some members did not confirm is unknown; repeated, it is completed and not made twice", async () => {
    const cluster = await open();
    const [n2, n3] = [cluster.node(2), cluster.node(3)];
    const fate = cutOffOnceChanged(cluster, n3);
    const failure = await failureOf(cluster.run(n2.changeBucket(CREATE)));
    expect(failure).toMatchObject({ outcome: "unknown" });
    cluster.fate = fate;
    await cluster.time.advance(1_000);
    await cluster.connected();
    const { version } = await cluster.run(n2.changeBucket(CREATE));
    expect(version).toBe(2);
    expect(n3.document.version).toBe(2);
  });

  test("begins from what other members have: the first one lost its disk, and has not heard of them yet", async () => {
    const cluster = await open();
    const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    const fate = cutOffOnceChanged(cluster, n3);
    await failureOf(cluster.run(n2.changeBucket(CREATE)));
    n1.kill();
    n1.disk = new MemoryDisk();
    cluster.fate = (message) => (isHeartbeat(message, n1) ? [] : fate(message));
    await cluster.run(n1.start());
    await cluster.time.advance(2_000);
    const other = { ...CREATE, name: parseBucketName("other") };
    const { version, buckets } = await cluster.run(n2.changeBucket(other));
    expect([version, [...buckets.keys()]]).toEqual([3, ["default", "carts", "other"]]);
    expect(documentOf(n2)).toBe(documentOf(n1));
    expect(documentOf(n3)).toBe(documentOf(n1));
  });

  test("begins from what a member is still storing: the first one lost its disk meanwhile", async () => {
    const cluster = await open();
    const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    const fate = cutOffOnceChanged(cluster, n2);
    let moveDisk = (): void => {};
    const diskMoves = new Promise<void>((resolve) => {
      moveDisk = resolve;
    });
    n3.disk.pause = (work) =>
      work === "batch" && n1.document.buckets.has(CARTS) ? diskMoves : Promise.resolve();
    void n1.changeBucket(CREATE).catch(() => {});
    await cluster.time.advance(50);
    n1.kill();
    n1.disk = new MemoryDisk();
    cluster.fate = fate;
    await cluster.run(n1.start());
    await cluster.time.advance(500);
    const changed = n1.changeBucket({ ...CREATE, name: parseBucketName("other") });
    await cluster.time.advance(200);
    moveDisk();
    const { version, buckets } = await cluster.run(changed);
    expect([version, [...buckets.keys()]]).toEqual([3, ["default", "carts", "other"]]);
    for (const node of [n2, n3]) expect(documentOf(node)).toBe(documentOf(n1));
  });

  test("by two operators at once is made twice, one after the other", async () => {
    const cluster = await open();
    await cluster.run(cluster.node(1).changeBucket(CREATE));
    await cluster.run(
      Promise.all([
        cluster.node(2).changeBucket({ kind: "put", name: CARTS, given: { w: 3 }, expect: "any" }),
        cluster.node(3).changeBucket({ kind: "put", name: CARTS, given: { r: 3 }, expect: "any" }),
      ]),
    );
    for (const { document } of cluster.nodes) {
      expect(document.version).toBe(4);
      expect(document.buckets.get(CARTS)).toMatchObject({ r: 3, w: 3 });
    }
  });

  test("that removes a bucket hides its keys on every node for good", async () => {
    const cluster = await open();
    const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    await cluster.run(n1.changeBucket(CREATE));
    await cluster.run(n1.put("k", "v", { bucket: CARTS }));
    await cluster.run(n2.changeBucket({ kind: "remove", name: CARTS }));
    const failure = await failureOf(cluster.run(n3.get("k", { bucket: CARTS })));
    expect(failure).toMatchObject({ code: "bucket-not-found" });
    const again = await failureOf(cluster.run(n3.changeBucket(CREATE)));
    expect(again).toMatchObject({ code: "bucket-removed" });
  });
});

describe("a node without the newest document", () => {
  test.each([1, 2, 3])("gets it before it serves: n%i lost its disk", async (wiped) => {
    const cluster = await open();
    const node = cluster.node(wiped);
    await cluster.run(cluster.node(1).changeBucket(CREATE));
    await cluster.run(cluster.node(2).changeBucket(toW(3)));
    node.kill();
    node.disk = new MemoryDisk();
    await cluster.run(node.start());
    // The first operation is asked before any peer was heard.
    const written = await cluster.run(node.put("k", "v", { bucket: CARTS }));
    expect(written).toMatchObject({ quorum: { needed: 3 } });
    await cluster.connected();
    expect(node.document.buckets.get(CARTS)).toMatchObject({ w: 3 });
  });

  test("coordinates nothing while no member tells it", async () => {
    const cluster = await open();
    const node = cluster.node(3);
    await cluster.run(cluster.node(1).changeBucket(CREATE));
    node.kill();
    node.disk = new MemoryDisk();
    cluster.cut([node], [cluster.node(1), cluster.node(2)]);
    await cluster.run(node.start());
    const failure = await failureOf(cluster.run(node.get("k", { bucket: CARTS })));
    expect(failure).toMatchObject({ code: "starting-or-draining", outcome: "not-applied" });
  });

  test("takes over what it missed while it could not be reached", async () => {
    const cluster = await open();
    const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    const fate = cutOffOnceChanged(cluster, n3);
    await failureOf(cluster.run(n2.changeBucket(CREATE)));
    cluster.fate = fate;
    await cluster.time.advance(5_000);
    expect(documentOf(n3)).toBe(documentOf(n1));
  });
});

describe("a stored document", () => {
  const first = (peers: string) => firstClusterDocument(parsePeers(peers));
  const THREE = first("n1=h1:1,n2=h2:2,n3=h3:3");

  async function stored(): Promise<MemoryDisk> {
    const cluster = await open();
    await cluster.run(cluster.node(1).changeBucket(CREATE));
    cluster.node(2).kill();
    return cluster.node(2).disk;
  }

  test("is found with its buckets", async () => {
    const storage = await (await stored()).open();
    const found = await Documents.find(THREE, storage);
    expect([found.isStored, found.document.buckets.has(CARTS)]).toEqual([true, true]);
  });

  test("whose buckets need more members than were given is refused, not salvaged", async () => {
    const storage = await (await stored()).open();
    const failure = await failureOf(Documents.find(first("n2=h2:2"), storage));
    expect(failure).toMatchObject({
      code: "directory-refused",
      message: expect.stringContaining("n: 3 replicas need as many members, there are 1"),
    });
  });

  test("that rotted is damage", async () => {
    const disk = await stored();
    const key = metaKey("document");
    const rotten = Uint8Array.from(disk.get(key) ?? []);
    rotten[5] = (rotten[5] ?? 0) ^ 1;
    disk.rot(key, rotten);
    const failure = await failureOf(Documents.find(THREE, await disk.open()));
    expect(failure).toMatchObject({ code: "directory-damaged" });
  });
});

test("whoever is killed, wiped or cut off between changes, no version has two documents and no acknowledged change is lost", async () => {
  const step = fc.record({
    asked: fc.nat(2),
    struck: fc.nat(2),
    w: fc.integer({ min: 1, max: 3 }),
    how: fc.constantFrom("nothing", "kill", "wipe", "cut"),
    afterMs: fc.nat(8),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 6 }), async (steps) => {
      const cluster = await open();
      const seen = new Map<number, string>();
      const note = (): void => {
        for (const node of cluster.nodes) {
          const text = documentOf(node);
          const { version } = node.document;
          expect(seen.get(version) ?? text).toBe(text);
          seen.set(version, text);
        }
      };
      let acknowledged = 0;
      for (const { asked, struck, w, how, afterMs } of steps) {
        const victim = cluster.node(struck + 1);
        const others = cluster.nodes.filter((node) => node !== victim);
        const change: BucketChange = { kind: "put", name: CARTS, given: { w }, expect: "any" };
        const result = cluster
          .node(asked + 1)
          .changeBucket(change)
          .then(
            ({ version }) => version,
            (error: unknown) => {
              if (!(error instanceof KvError)) throw error;
              return 0;
            },
          );
        await cluster.time.advance(afterMs);
        if (how === "cut") cluster.cut([victim], others);
        if (how === "kill" || how === "wipe") victim.kill();
        if (how === "wipe") victim.disk = new MemoryDisk();
        await cluster.time.advance(12_000);
        if (how === "cut") cluster.heal([victim], others);
        if (how === "kill" || how === "wipe") await cluster.run(victim.start());
        // What was asked of a node that died is never answered.
        const isAnswered = !(how === "kill" || how === "wipe") || asked !== struck;
        if (isAnswered) acknowledged = Math.max(acknowledged, await cluster.run(result));
        await cluster.connected();
        await cluster.time.advance(2_000);
        note();
      }
      for (const node of cluster.nodes) {
        expect(node.document.version).toBeGreaterThanOrEqual(acknowledged);
        expect(documentOf(node)).toBe(documentOf(cluster.node(1)));
      }
    }),
    { numRuns: 60 },
  );
});
