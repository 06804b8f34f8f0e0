import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { startCluster } from "../support/cluster.ts";
import { needs } from "../support/needs.ts";
import { startPrometheus } from "../support/prometheus.ts";
import { waitFor } from "../support/real-kv.ts";

const DEPLOY = join(import.meta.dirname, "..", "..", "deploy");
const RULES = join(DEPLOY, "prometheus", "rules");
const LOAD_PAUSE_MS = 20;

/** Queries of the dashboard that may find nothing while all is well, and why. */
const QUIET_IN_PEACE: ReadonlyMap<string, string> = new Map([
  ['sum by (severity) (ALERTS{alertstate="firing",job="$job"})', "no alert fires"],
  [
    'sum by (round, result) (rate(kv_round_duration_seconds_count{job="$job",instance=~"$instance",result!="met"}[$__rate_interval]))',
    "every round meets its quorum",
  ],
  [
    'sum by (peer, result) (rate(kv_replica_answers_total{job="$job",instance=~"$instance",result!="ok"}[$__rate_interval]))',
    "no replica fails",
  ],
  [
    'sum by (op) (rate(kv_spare_requests_total{job="$job",instance=~"$instance"}[$__rate_interval]))',
    "no replica is silent",
  ],
  [
    'sum by (result) (rate(kv_hedges_total{job="$job",instance=~"$instance"}[$__rate_interval]))',
    "no replica is silent",
  ],
  [
    'sum by (instance, bound) (rate(kv_bound_exceeded_total{job="$job",instance=~"$instance"}[$__rate_interval]))',
    "nothing is refused",
  ],
]);

const DASHBOARD = JSON.parse(
  readFileSync(join(DEPLOY, "grafana", "dashboards", "quorate.json"), "utf8"),
) as {
  readonly panels: readonly { readonly targets?: readonly { readonly expr: string }[] }[];
};
const QUERIES = DASHBOARD.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));

function recordings(): readonly string[] {
  const { groups } = parse(readFileSync(join(RULES, "recording.yml"), "utf8")) as {
    readonly groups: readonly { readonly rules: readonly { readonly record: string }[] }[];
  };
  return groups.flatMap(({ rules }) => rules.map(({ record }) => record));
}

/** As Grafana fills in the dashboard's variables. */
function filledIn(query: string): string {
  return query
    .replaceAll("$job", "quorate")
    .replaceAll("$instance", ".*")
    .replaceAll("$__rate_interval", "1m");
}

/** A bit of everything that clients do, over and over. */
async function load(urls: readonly string[], signal: AbortSignal): Promise<void> {
  for (let i = 0; !signal.aborted; i++) {
    const url = urls[i % urls.length] ?? "";
    const key = `${url}/v1/kv/default/k${i % 50}`;
    const requests: readonly (readonly [string, RequestInit])[] = [
      [key, { method: "PUT", body: `value ${i}`, headers: { "KV-Write-Id": `w${i}` } }],
      [key, {}],
      [`${url}/v1/kv/side/k`, { method: "PUT", body: "v" }],
      [`${url}/v1/kv/side/k`, {}],
      [`${url}/v1/kv/default/absent-${i}`, {}],
      [key, { method: "DELETE" }],
      [key, { method: "PUT", body: "v", headers: { "KV-Write-Id": `r${i}`, "KV-Attempt": "2" } }],
    ];
    for (const [target, init] of requests) await (await fetch(target, init)).arrayBuffer();
    await sleep(LOAD_PAUSE_MS);
  }
}

test("what may be quiet is still asked for", () => {
  for (const query of QUIET_IN_PEACE.keys()) expect(QUERIES).toContain(query);
});

describe.skipIf(!needs("prometheus"))("Prometheus on three nodes under load", () => {
  test("every query of the dashboard and every recording rule finds something; no alert fires", async () => {
    await using cluster = await startCluster({ nodes: 3 });
    const created = await fetch(`${cluster.urls[0]}/v1/buckets/side`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ mode: "siblings" }),
    });
    expect(created.ok).toBe(true);
    await using prometheus = await startPrometheus({
      targets: cluster.urls.map((url) => new URL(url).host),
      ruleFiles: [join(RULES, "recording.yml"), join(RULES, "alerts.yml")],
    });
    const stop = new AbortController();
    const loading = load(cluster.urls, stop.signal);
    const asked = QUERIES.filter((query) => !QUIET_IN_PEACE.has(query)).map(filledIn);
    try {
      for (const query of [...asked, ...recordings()]) {
        const found = await waitFor(`${query} to find something`, async () => {
          const samples = await prometheus.query(query);
          return samples.length > 0 ? samples : undefined;
        });
        for (const { metric } of found) expect(metric["job"] ?? "quorate").toBe("quorate");
      }
      // The others are at least understood.
      for (const query of QUIET_IN_PEACE.keys()) await prometheus.query(filledIn(query));
      expect(await prometheus.query('ALERTS{alertstate="firing"}')).toEqual([]);
      const ok = await prometheus.query('min(kv_partitions{state="ok"})');
      expect(ok.map(({ value }) => value[1])).toEqual(["256"]);
    } finally {
      stop.abort();
      await loading;
    }
  });
});
