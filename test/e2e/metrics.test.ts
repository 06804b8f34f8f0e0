import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { METRICS } from "../../src/ports/telemetry.ts";
import { startCluster } from "../support/cluster.ts";
import { needs } from "../support/needs.ts";

/** What a node shows, the families of the runtime left out: prom-client's do not lint. */
async function scrapeKv(url: string): Promise<string> {
  const response = await fetch(`${url}/metrics`);
  const lines = (await response.text()).split("\n");
  return `${lines.filter((line) => /^(# \w+ )?kv_/.test(line)).join("\n")}\n`;
}

describe.skipIf(!needs("promtool"))("/metrics of a real node", () => {
  test("promtool finds nothing to say against the kv_ families, of which there are all", async () => {
    await using cluster = await startCluster({ nodes: 3 });
    const [url = ""] = cluster.urls;
    const at = `${url}/v1/kv/default`;
    await fetch(`${at}/k`, { method: "PUT", body: "v" });
    await fetch(`${at}/k`);
    await fetch(`${url}/v1/kv/no-such-bucket/k`);
    // On a busy machine a peer may be suspect for a moment.
    await expect.poll(() => scrapeKv(url)).toContain('kv_partitions{state="ok"} 256\n');
    const text = await scrapeKv(url);

    const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], {
      input: text,
      encoding: "utf8",
    });
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: "", stderr: "" });
    const families = [...text.matchAll(/^# TYPE (\w+)/gm)].map(([, name]) => name);
    expect(new Set(families)).toEqual(new Set(Object.values(METRICS).map(({ name }) => name)));

    // What only the wiring of a process brings about.
    expect(text).toMatch(/^kv_build_info\{version="[^"]+",node_version="v\d+[^"]+"\} 1$/m);
    expect(text).toMatch(/^kv_partitions\{state="ok"\} \d+$/m);
    expect(text).toContain("kv_partitions_owned 256\n");
    expect(text).toMatch(/^kv_client_connections [1-9]/m);
    expect(text).toContain('kv_problems_total{code="bucket-not-found"} 1\n');
    expect(text).toMatch(/^kv_peer_inflight_requests\{peer="n2"\} \d+$/m);
    expect(text).toMatch(/^kv_peer_queued_bytes\{peer="n3"\} \d+$/m);
    expect(text).toMatch(/^kv_peer_round_trip_seconds\{peer="n2"\} [0-9.e-]+$/m);
    expect(text).toMatch(/^kv_disk_size_bytes [1-9]/m);
    expect(text).toMatch(/^kv_storage_commit_wait_seconds_count [1-9]/m);
    expect(text).toMatch(/^kv_storage_read_duration_seconds_count [1-9]/m);
  });

  test("promtool would object to a counter without _total", () => {
    const input = "# HELP kv_x x\n# TYPE kv_x counter\nkv_x 1\n";
    expect(spawnSync("promtool", ["check", "metrics"], { input }).status).toBe(3);
  });
});
