import { randomBytes } from "node:crypto";
import { copyFile, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startCluster, waitConnected } from "../support/cluster.ts";
import type { Cluster } from "../support/cluster.ts";
import { KV, RealKv, kv, waitFor } from "../support/real-kv.ts";

const ROWS = 20_000;

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "quorate-kv-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe("kv against three nodes (N=3 R=W=2)", () => {
  let cluster: Cluster;
  let all = "";
  beforeAll(async () => {
    cluster = await startCluster({ nodes: 3 });
    all = cluster.urls.join(",");
  });
  afterAll(() => cluster.stop());

  function node(id: string) {
    const found = cluster.nodes[id];
    if (found === undefined) throw new Error(`no node ${id}`);
    return found;
  }

  test("a value written through one node is read byte for byte through the others", async () => {
    const value = randomBytes(1024 * 1024);
    const put = await kv(["put", "bytes", "-", "-e", node("n1").url], { stdin: value });
    expect(put).toMatchObject({ exitCode: 0, stdout: Buffer.alloc(0) });
    for (const id of ["n2", "n3"]) {
      const get = await kv(["get", "bytes", "-e", node(id).url]);
      expect(get.exitCode).toBe(0);
      expect(get.stdout.equals(value)).toBe(true);
    }
  });

  test.for(["..", ".", "a/../b", "ü 🙂", "%2e%2e", "a//b", "?x=1#y", "-dash"])(
    "the key '%s' is a key like any other",
    async (key) => {
      expect((await kv(["put", "-e", all, "--", key, `value of ${key}`])).exitCode).toBe(0);
      const get = await kv(["get", "-e", all, "--", key]);
      expect(get.stdout.toString()).toBe(`value of ${key}`);
      expect((await kv(["del", "-e", all, "--", key])).exitCode).toBe(0);
      expect((await kv(["get", "-e", all, "--", key])).exitCode).toBe(3);
    },
  );

  test("content type and an empty value come back", async () => {
    await kv(["put", "typed", "", "--content-type", "text/x-empty", "-e", all]);
    const { stdout } = await kv(["get", "typed", "-o", "json", "-e", all]);
    expect(JSON.parse(stdout.toString())).toMatchObject({
      value: "",
      contentType: "text/x-empty",
      quorum: { needed: 2 },
    });
  });

  test("a value with a time to live says when it ends, and is not found from then on", async () => {
    await kv(["put", "kept", "v", "--ttl", "3600", "-e", all]);
    const { stdout } = await kv(["get", "kept", "-o", "json", "-e", all]);
    const { expiresAt } = JSON.parse(stdout.toString()) as { expiresAt: string };
    expect(Date.parse(expiresAt)).toBeGreaterThan(Date.now() + 3_500_000);
    await kv(["put", "short", "v", "--ttl", "1", "-e", all]);
    const gone = await waitFor("the value to expire", async () => {
      const { exitCode } = await kv(["get", "short", "-e", all]);
      return exitCode === 0 ? undefined : exitCode;
    });
    expect(gone).toBe(3);
  });

  test("a write id that is used again says so: the same value is stored once, another is refused", async () => {
    const put = (value: string) =>
      kv(["put", "once", value, "--write-id", "import-7", "-o", "json", "-e", all]);
    const first = await put("one");
    await kv(["put", "once", "from somebody else", "-e", all]);
    const again = await put("one");
    const etagOf = ({ stdout }: { stdout: Buffer }): unknown =>
      (JSON.parse(stdout.toString()) as { etag: unknown }).etag;
    expect(etagOf(again)).toBe(etagOf(first));
    expect((await kv(["get", "once", "-e", all])).stdout.toString()).toBe("from somebody else");
    const other = await put("two");
    expect(other.exitCode).toBe(4);
    expect(other.stderr).toContain("[write-id-reused]");
  });

  test("a value above 1 MiB is refused by the node: exit code 2", async () => {
    const put = await kv(["put", "big", "-e", all], { stdin: Buffer.alloc(1024 * 1024 + 1) });
    expect(put.exitCode).toBe(2);
    expect(put.stderr).toContain("[value-too-large]");
  });

  test("more replicas than there are: exit code 2", async () => {
    expect((await kv(["get", "k", "-r", "4", "-e", all])).exitCode).toBe(2);
  });

  test("an unknown bucket: exit code 3", async () => {
    const get = await kv(["get", "k", "-b", "nowhere", "-e", all]);
    expect(get.exitCode).toBe(3);
    expect(get.stderr).toContain("[bucket-not-found]");
  });

  test("one node killed: commands succeed through it and the rest; status says what is wrong", async () => {
    const healthy = await kv(["status", "-e", all]);
    expect(healthy).toMatchObject({ exitCode: 0 });
    await node("n3").kill();
    for (let n = 0; n < 6; n += 1) {
      expect((await kv(["put", "k", String(n), "-e", all])).exitCode).toBe(0);
      expect((await kv(["get", "k", "-e", all])).stdout.toString()).toBe(String(n));
    }
    const status = await kv(["status", "-e", all]);
    expect(status.exitCode).toBe(9);
    expect(status.stdout.toString()).toContain(`! ${node("n3").url} gave no answer`);
    await node("n3").restart();
    expect((await kv(["get", "k", "-e", node("n3").url])).stdout.toString()).toBe("5");
  });

  test("a replica that was away is seen to be behind, and repaired, by its operator", async () => {
    interface Look {
      readonly replicas: readonly { readonly node: string; readonly relation: string | null }[];
      readonly reads: readonly { readonly results: readonly { readonly outcome: string }[] }[];
    }
    const look = async (): Promise<Look> => {
      const ran = await kv(["key", "inspect", "away", "-o", "json", "-e", node("n1").url]);
      expect(ran.exitCode).toBe(0);
      return JSON.parse(ran.stdout.toString()) as Look;
    };
    const relations = ({ replicas }: Look): Readonly<Record<string, string | null>> =>
      Object.fromEntries(replicas.map((replica) => [replica.node, replica.relation]));

    await kv(["put", "away", "old", "-w", "all", "-e", all]);
    await node("n3").kill();
    await kv(["put", "away", "new", "-e", all]);
    expect(relations(await look())).toEqual({ n1: "equal", n2: "equal", n3: null });
    const placed = await kv(["key", "locate", "away", "-e", node("n1").url]);
    expect(placed.stdout.toString()).toMatch(/ n3 .* unreachable: /);
    const halfway = await kv(["key", "repair", "away", "-e", node("n1").url]);
    expect(halfway.exitCode).toBe(9);

    await node("n3").restart();
    await waitConnected(node("n1"));
    const behind = await look();
    expect(relations(behind)).toEqual({ n1: "equal", n2: "equal", n3: "behind" });
    expect(behind.reads.map(({ results }) => results.map(({ outcome }) => outcome))).toEqual([
      ["found", "found"],
      ["found", "found"],
      ["found"],
    ]);
    const repaired = await kv(["key", "repair", "away", "-e", node("n1").url]);
    expect(repaired.exitCode).toBe(0);
    expect(repaired.stdout.toString()).toMatch(/^n3 +B +A +equal, repaired$/m);
    expect(relations(await look())).toEqual({ n1: "equal", n2: "equal", n3: "equal" });
    const own = await kv(["get", "away", "-r", "1", "-e", node("n3").url]);
    expect(own.stdout.toString()).toBe("new");
  });

  test("two of three killed: exit code 5, proven not applied; after their restart it is not there", async () => {
    await Promise.all([node("n2").kill(), node("n3").kill()]);
    const put = await kv(["put", "lonely", "v", "-e", all]);
    const get = await kv(["get", "lonely", "-e", all]);
    expect(put).toMatchObject({ exitCode: 5 });
    expect(get).toMatchObject({ exitCode: 5 });
    await Promise.all([node("n2").restart(), node("n3").restart()]);
    expect((await kv(["get", "lonely", "-e", all])).exitCode).toBe(3);
  });

  test("two of three hung: the command ends within its --timeout, with exit code 5 or 6", async () => {
    node("n2").pause();
    node("n3").pause();
    try {
      for (const argv of [
        ["get", "k"],
        ["put", "k", "v"],
      ]) {
        const begun = performance.now();
        const ran = await kv([...argv, "--timeout", "1000", "-e", node("n1").url]);
        expect(performance.now() - begun).toBeLessThan(3_000);
        expect(ran.stderr).toMatch(/\[(read|write)-(unavailable|timeout|unknown)\]/);
        expect([5, 6]).toContain(ran.exitCode);
      }
    } finally {
      node("n2").resume();
      node("n3").resume();
    }
  });

  test("20,000 rows arrive although a node is killed meanwhile, and export gives the file back", async () => {
    const file = join(folder, "rows.jsonl");
    const rows = Array.from(
      { length: ROWS },
      (_, n) => `${JSON.stringify({ key: `row/${n}`, value: `value ${n}` })}\n`,
    );
    await writeFile(file, rows.join(""));
    const importing = new RealKv(["import", file, "-e", all, "-o", "json"]);
    await waitFor("the first thousand rows", async () => {
      const { status } = await fetch(`${node("n1").url}/v1/kv/default/row/1000`);
      return status === 200 || undefined;
    });
    await node("n2").kill();
    await node("n2").restart();
    // Otherwise the fault came too late to be one.
    expect(importing.child.exitCode).toBeNull();
    const imported = await importing.ended;
    expect(imported).toMatchObject({ exitCode: 0 });
    expect(JSON.parse(imported.stdout.toString())).toMatchObject({ imported: ROWS, refused: 0 });
    const copy = join(folder, "copy.jsonl");
    const exported = await kv(["export", copy, "--keys", file, "-e", node("n2").url]);
    expect(exported).toMatchObject({ exitCode: 0 });
    expect(await readFile(copy, "utf8")).toBe(rows.join(""));
  });
});

describe("the launcher", () => {
  test("runs through symbolic links, from any folder", async () => {
    await symlink(KV, join(folder, "one"));
    await symlink("one", join(folder, "two"));
    const ran = await kv(["version"], { command: join(folder, "two"), cwd: "/" });
    expect(ran.exitCode).toBe(0);
    expect(ran.stdout.toString()).toMatch(/^kv \d+\.\d+\.\d+ /);
  });

  test("says what to do when nothing is built yet", async () => {
    await copyFile(KV, join(folder, "kv"));
    const ran = await kv(["version"], { command: join(folder, "kv") });
    expect(ran.exitCode).toBe(1);
    expect(ran.stderr).toContain("npm run setup");
  });

  test("a reader that has seen enough is no error", async () => {
    const script = `"${KV}" help | head -1; "${KV}" serve --help | true`;
    const ran = await kv(["-c", script], { command: "sh" });
    expect(ran).toMatchObject({ exitCode: 0, stderr: "" });
  });
});
