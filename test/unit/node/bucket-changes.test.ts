import { expect, test } from "vitest";
import { parsePeers } from "../../../src/core/config.ts";
import { parseBucketName, parseNodeId } from "../../../src/core/ids.ts";
import { changedDocument } from "../../../src/core/layout/bucket-change.ts";
import type { BucketChange } from "../../../src/core/layout/bucket-change.ts";
import { firstClusterDocument } from "../../../src/core/layout/cluster-document.ts";
import type { ClusterDocument } from "../../../src/core/layout/cluster-document.ts";
import { readDocument } from "../../../src/core/messages/document.ts";
import { BucketChanges } from "../../../src/node/document/bucket-changes.ts";
import { VirtualTime } from "../../../src/testing/virtual-clock.ts";

const FIRST = firstClusterDocument(parsePeers("n1=h1:1,n2=h2:2,n3=h3:3"));

function create(name: string): BucketChange {
  return { kind: "put", name: parseBucketName(name), given: {}, expect: "any" };
}

test("two documents of one version, of which nobody was told, are replaced by the next", async () => {
  const held = new Map<string, ClusterDocument>([
    ["n1", FIRST],
    ["n2", changedDocument(FIRST, create("a"))],
    ["n3", changedDocument(FIRST, create("b"))],
  ]);
  const changes = new BucketChanges({
    self: parseNodeId("n1"),
    clock: new VirtualTime({ drain: () => Promise.resolve(), wallMs: 0 }).clock(),
    documents: {
      current: FIRST,
      adopt: (document) => {
        held.set("n1", document);
        return Promise.resolve();
      },
    },
    client: {
      ask: (member, question) => {
        if (question.ask === "adopt") {
          const sent = readDocument(question.document, FIRST.layout);
          const own = held.get(member);
          if (own === undefined || sent.version > own.version) held.set(member, sent);
        }
        return Promise.resolve({ kind: "ok", value: held.get(member) ?? FIRST });
      },
    },
  });
  const made = await changes.change(create("a"));
  expect([made.version, [...made.buckets.keys()]]).toEqual([3, ["default", "a"]]);
  expect([...held.values()].map(({ version }) => version)).toEqual([3, 3, 3]);
});
