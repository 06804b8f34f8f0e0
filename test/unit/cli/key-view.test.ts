import { stripVTControlCharacters } from "node:util";
import { describe, expect, test } from "vitest";
import type { KeyExplanation } from "../../../src/client/client.ts";
import type { ExplainedReplica, ExplainedVersion } from "../../../src/client/key-explanation.ts";
import { utf8 } from "../../../src/core/bytes.ts";
import { parseBucketName, parseKey } from "../../../src/core/ids.ts";
import { keyHash, recordKey } from "../../../src/core/record-key.ts";
import { FakeNode, found, problem } from "../../support/fake-node.ts";
import type { Behaviour } from "../../support/fake-node.ts";
import { kv } from "../../support/shell.ts";

const VERSION: ExplainedVersion = {
  dot: "aa-new",
  time: "2026-11-25T04:00:01.000Z",
  counter: 7,
  writeId: "w2",
  tombstone: false,
  valueBytes: 2_048,
  contentType: "text/plain",
  contentEncoding: null,
  expiresAt: null,
  expiredBy: [],
};
const OLD: ExplainedVersion = {
  ...VERSION,
  dot: "bb-old",
  time: "2026-11-25T04:00:00.000Z",
  counter: 0,
  writeId: "w1",
  tombstone: true,
  valueBytes: null,
  contentType: null,
};

function holding(node: string, fields: Partial<ExplainedReplica>, ...versions: ExplainedVersion[]) {
  return {
    node,
    answer: "ok",
    reason: null,
    clock: "2026-11-25T04:00:09.000Z",
    relation: "equal",
    inSync: true,
    record: { bytes: 2_100, digest: `d-${versions[0]?.dot}`, recentWrites: 1, versions },
    ...fields,
  };
}

const SILENT = { answer: "refused", reason: "not-sent", clock: null, relation: null, record: null };
const BEHIND = { relation: "behind", inSync: false };
const ALIKE = ["n1", "n2", "n3"].map((node) => holding(node, {}, VERSION));
const N2_BEHIND = ALIKE.map((it) => (it.node === "n2" ? holding("n2", BEHIND, OLD) : it));

function explanation(
  replicas: readonly ExplainedReplica[],
  fields: Partial<KeyExplanation> = {},
): KeyExplanation {
  return {
    node: "n1",
    partition: 17,
    epoch: 1,
    epochHash: "89abcdef",
    mode: "lww",
    n: 3,
    r: 2,
    w: 2,
    readRepair: "blocking",
    preferenceList: replicas.map(({ node, answer }) => ({
      node,
      zone: node === "n1" ? null : "east",
      peerAddress: `10.0.0.${node.slice(1)}:7180`,
      state: answer === "ok" ? "connected" : "unreachable",
      reason: answer === "ok" ? null : "connect ECONNREFUSED",
    })),
    clock: "2026-11-25T04:00:09.000Z",
    newest: [VERSION.dot],
    replicas,
    reads: [],
    ...fields,
  };
}

/** Answers looks with these explanations in turn, the last one stays, and reads with a value. */
function explains(...explained: readonly KeyExplanation[]): Behaviour {
  let looks = 0;
  return ({ query }) => {
    if (!query.has("explain")) return found("v");
    const body = explained[Math.min(looks, explained.length - 1)];
    looks += 1;
    return { status: 200, body: JSON.stringify(body) };
  };
}

/** Without trailing blanks, as `Output.table` prints. */
function lines(ran: { readonly stdout: Buffer }): readonly string[] {
  return ran.stdout.toString().split("\n");
}

describe("kv key inspect", () => {
  test("a row a replica, the newest marked; its versions; what each R would return", async () => {
    const reads = [
      {
        r: 1,
        results: [
          { outcome: "found", versions: ["aa-new"], repairs: false, from: [["n1"]] },
          { outcome: "deleted", versions: ["bb-old"], repairs: false, from: [["n2"]] },
        ],
      },
      {
        r: 2,
        results: [{ outcome: "found", versions: ["aa-new"], repairs: true, from: [["n1", "n2"]] }],
      },
      {
        r: 3,
        results: [{ outcome: "read-unavailable", versions: [], repairs: false, from: [] }],
      },
    ];
    const replicas = [
      holding("n1", {}, VERSION),
      holding("n2", BEHIND, OLD),
      { ...holding("n3", SILENT), inSync: false },
    ];
    await using node = await FakeNode.open(explains(explanation(replicas, { reads })));
    const ran = await kv(["key", "inspect", "k", "-e", node.url]);
    expect(ran.exitCode).toBe(0);
    expect(lines(ran)).toEqual([
      "'k' in bucket default: partition 17, epoch 1, lww, N=3 R=2 W=2, told by n1",
      "",
      "   REPLICA  ZONE  ADDRESS        HOLDS  RELATION             SIZE     DIGEST    REMEMBERS",
      "*  n1       -     10.0.0.1:7180  A      equal                2.1 KiB  d-aa-new  1 write",
      "   n2       east  10.0.0.2:7180  B      behind               2.1 KiB  d-bb-old  1 write",
      "   n3       east  10.0.0.3:7180  ?      no answer: not-sent  -        -         -",
      "",
      "A  newest: value, 2.0 KiB, text/plain, written 2026-11-25T04:00:01.000Z +7",
      "   dot aa-new, write id w2",
      "B  older: deleted, written 2026-11-25T04:00:00.000Z +0",
      "   dot bb-old, write id w1",
      "",
      "READ  RETURNS                 WHEN THESE ANSWER",
      "R=1   A                       n1",
      "      404, B is a delete      n2",
      "R=2   A                       n1+n2              writes back",
      "R=3   error read-unavailable  too few do",
      "",
      "! n3 was not asked: there is no connection to it (connect ECONNREFUSED)",
      "  Start n3, or look at the network; `kv status` tells who reaches whom.",
      "",
      "! n2 is behind",
      "  A read that meets it writes the newest back. To do so now: kv key repair k",
      "",
    ]);
  });

  test("is coloured on a terminal only", async () => {
    await using node = await FakeNode.open(explains(explanation(N2_BEHIND)));
    const argv = ["key", "inspect", "k", "-e", node.url];
    const plain = (await kv(argv)).stdout.toString();
    const coloured = (await kv(argv, { terminal: true })).stdout.toString();
    expect(plain).not.toContain("\u001b");
    // The newest in green, who is behind in yellow.
    expect(coloured).toContain("\u001b[32m*  n1 ");
    expect(coloured).toContain("\u001b[33m   n2 ");
    expect(stripVTControlCharacters(coloured)).toBe(plain);
    expect((await kv([...argv, "--no-color"], { terminal: true })).stdout.toString()).toBe(plain);
  });

  test("-o json is what the node said, and the key", async () => {
    const explained = explanation(ALIKE);
    await using node = await FakeNode.open(explains(explained));
    const ran = await kv(["key", "inspect", "k", "-b", "b.1", "-o", "json", "-e", node.url]);
    expect(JSON.parse(ran.stdout.toString())).toEqual({
      bucket: "b.1",
      key: "k",
      keyEncoding: "utf8",
      ...explained,
    });
    expect(node.requests.map(({ path }) => path)).toEqual(["/v1/kv64/b.1/aw"]);
  });

  test("the advice repairs this very key, whatever it is called", async () => {
    await using node = await FakeNode.open(explains(explanation(N2_BEHIND)));
    const adviceOf = async (...argv: readonly string[]): Promise<string | undefined> =>
      lines(await kv(["key", "inspect", "-e", node.url, ...argv]))
        .find((line) => line.includes("To do so now: "))
        ?.split("To do so now: ")[1];
    expect(await adviceOf("it's", "-b", "b.1")).toBe(`kv key repair -b b.1 'it'\\''s'`);
    expect(await adviceOf("--", "-r")).toBe("kv key repair -- -r");
    expect(await adviceOf("AP8", "--key-encoding", "base64url")).toBe(
      "kv key repair --key-encoding base64url AP8",
    );
  });

  test.each([
    [[[], []], "expires 2026-11-25T04:00:05.000Z"],
    [
      [
        ["replica", "coordinator"],
        ["replica", "coordinator"],
      ],
      "expired 2026-11-25T04:00:05.000Z",
    ],
    [[[], ["replica"]], "expires 2026-11-25T04:00:05.000Z and is over by the clock of n2"],
    [
      [["coordinator"], ["coordinator"]],
      "expires 2026-11-25T04:00:05.000Z and is over by the clock of n1",
    ],
  ])("an end that is over by the clocks %j reads '%s'", async (judges, text) => {
    const replicas = judges.map((expiredBy, i) =>
      holding(`n${i + 1}`, {}, { ...VERSION, expiresAt: "2026-11-25T04:00:05.000Z", expiredBy }),
    );
    await using node = await FakeNode.open(explains(explanation(replicas, { n: 2 })));
    const ran = await kv(["key", "inspect", "k", "-e", node.url]);
    expect(ran.stdout.toString()).toContain(`text/plain, ${text}, written`);
  });

  test("behind a proxy it says whom to ask instead", async () => {
    await using proxy = await FakeNode.open(() => problem("route-not-found"));
    const ran = await kv(["key", "inspect", "k", "-e", proxy.url]);
    expect(ran.exitCode).toBe(2);
    expect(ran.stderr).toContain("name the client port of a node with -e");
  });

  test("a stranger's answer is no explanation; an unknown bucket is one's own exit code", async () => {
    await using stranger = await FakeNode.open(() => ({ status: 200, body: "{}" }));
    expect((await kv(["key", "inspect", "k", "-e", stranger.url])).exitCode).not.toBe(0);
    await using node = await FakeNode.open(() => problem("bucket-not-found"));
    expect((await kv(["key", "inspect", "k", "-e", node.url])).exitCode).toBe(3);
  });
});

describe("kv key locate", () => {
  const IN_LOGS = keyHash(recordKey(parseBucketName("default"), parseKey(utf8("k"))));

  test("names the replicas in order, and which cannot be reached", async () => {
    const replicas = [{ ...holding("n3", SILENT), inSync: false }, holding("n1", {}, VERSION)];
    await using node = await FakeNode.open(explains(explanation(replicas)));
    const ran = await kv(["key", "locate", "k", "-e", node.url]);
    expect(ran.exitCode).toBe(0);
    expect(lines(ran)).toEqual([
      "'k' in bucket default: partition 17, epoch 1, lww, N=3 R=2 W=2, told by n1",
      "",
      "#  REPLICA  ZONE  ADDRESS        STATE",
      "1  n3       east  10.0.0.3:7180  unreachable: connect ECONNREFUSED",
      "2  n1       -     10.0.0.1:7180  connected",
      "",
      `logs call it ${IN_LOGS}`,
      "",
    ]);
    const json = await kv(["key", "locate", "k", "-o", "json", "-e", node.url]);
    expect(JSON.parse(json.stdout.toString())).toMatchObject({ keyHash: IN_LOGS });
    node.requests.pop();
    expect(node.requests.map(({ query }) => query.get("explain"))).toEqual(["placement"]);
  });
});

describe("kv key repair", () => {
  const rOf = (node: FakeNode): readonly (string | null)[] =>
    node.requests.filter(({ query }) => !query.has("explain")).map(({ query }) => query.get("r"));

  test("reads from all replicas and shows what changed: exit code 0", async () => {
    await using node = await FakeNode.open(explains(explanation(N2_BEHIND), explanation(ALIKE)));
    const ran = await kv(["key", "repair", "k", "-e", node.url]);
    expect(ran.exitCode).toBe(0);
    expect(rOf(node)).toEqual(["3"]);
    expect(lines(ran).slice(2, 6)).toEqual([
      "REPLICA  HELD  HOLDS  RELATION",
      "n1       A     A      equal",
      "n2       B     A      equal, repaired",
      "n3       A     A      equal",
    ]);
  });

  test.each([
    [
      "siblings",
      { status: 300, headers: { "kv-quorum": "needed=3, acked=3, epoch=1" }, body: "[]" },
    ],
    ["a delete", problem("key-not-found")],
  ])("what the read comes to does not matter: %s", async (_name, reply) => {
    const looks = explains(explanation(N2_BEHIND), explanation(ALIKE));
    await using node = await FakeNode.open((request) =>
      request.query.has("explain") ? looks(request) : reply,
    );
    expect((await kv(["key", "repair", "k", "-e", node.url])).exitCode).toBe(0);
  });

  test("a read that fails is the failure of the repair", async () => {
    const looks = explains(explanation(N2_BEHIND));
    await using node = await FakeNode.open((request) =>
      request.query.has("explain") ? looks(request) : problem("read-unconfirmed", { retry: "no" }),
    );
    const ran = await kv(["key", "repair", "k", "-e", node.url]);
    expect(ran.exitCode).toBe(5);
    expect(ran.stderr).toContain("[read-unconfirmed]");
  });

  test("-o json: which changed, before and after", async () => {
    const [before, after] = [explanation(N2_BEHIND), explanation(ALIKE)];
    await using node = await FakeNode.open(explains(before, after));
    const ran = await kv(["key", "repair", "k", "-o", "json", "-e", node.url]);
    expect(JSON.parse(ran.stdout.toString())).toEqual({
      bucket: "default",
      key: "k",
      keyEncoding: "utf8",
      inSync: true,
      changed: ["n2"],
      before,
      after,
    });
  });

  test("replicas that still differ: exit code 9", async () => {
    await using node = await FakeNode.open(explains(explanation(N2_BEHIND)));
    const ran = await kv(["key", "repair", "k", "-e", node.url]);
    expect(ran.exitCode).toBe(9);
    expect(ran.stdout.toString()).toContain("! n2 is behind");
  });

  test("one that does not answer keeps nobody from being repaired, but it is no success", async () => {
    const n3 = { ...holding("n3", SILENT), inSync: false };
    const looks = [N2_BEHIND, ALIKE].map((all) => explanation([...all.slice(0, 2), n3]));
    await using node = await FakeNode.open(explains(...looks));
    const ran = await kv(["key", "repair", "k", "-e", node.url]);
    expect(ran.exitCode).toBe(9);
    expect(rOf(node)).toEqual(["2"]);
    expect(ran.stdout.toString()).toContain("equal, repaired");
    expect(ran.stdout.toString()).toContain("! n3 was not asked");
  });

  test("alike already: nothing is read, and it says so", async () => {
    await using node = await FakeNode.open(explains(explanation(ALIKE)));
    const ran = await kv(["key", "repair", "k", "-e", node.url]);
    expect(ran).toMatchObject({ exitCode: 0, stderr: "kv: the replicas were alike already\n" });
    expect(rOf(node)).toEqual([]);
  });

  test("nobody answers: exit code 5, each with its reason", async () => {
    const all = ["n1", "n2"].map((id) => ({ ...holding(id, SILENT), inSync: false }));
    await using node = await FakeNode.open(explains(explanation(all)));
    const ran = await kv(["key", "repair", "k", "-e", node.url]);
    expect(ran.exitCode).toBe(5);
    expect(ran.stderr).toContain("(n1: not-sent, n2: not-sent)");
    expect(rOf(node)).toEqual([]);
  });
});
