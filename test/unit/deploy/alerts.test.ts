import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { needs } from "../../support/needs.ts";
import { ALERT_NAMES, ALERTS, promtool, rulesOf } from "./support.ts";
import type { Rule } from "./support.ts";

const RECORDING = rulesOf("recording.yml");

const NODE = 'job="quorate",instance="kv1:7080"';

interface Firing {
  /** Values each minute by series, in promtool's notation. */
  readonly series: Readonly<Record<string, string>>;
  /** Fires with these labels at this time, and not yet at `notYet`. */
  readonly at: string;
  readonly notYet: string;
  readonly labels: Readonly<Record<string, string>>;
}

interface Case {
  readonly fires: readonly Firing[];
  /** Looks like it and is none; never fires within an hour. */
  readonly quiet: readonly Readonly<Record<string, string>>[];
}

const OF_NODE = { job: "quorate", instance: "kv1:7080" };
const requests = (op: string, result: string) =>
  `kv_requests_total{${NODE},op="${op}",mode="lww",result="${result}"}`;
/** Cumulative buckets: so many per minute up to each bound. */
function histogram(name: string, labels: string, perMinute: Readonly<Record<string, number>>) {
  return Object.fromEntries(
    Object.entries(perMinute).map(([le, rate]) => [
      `${name}_bucket{${labels},le="${le}"}`,
      `0+${rate}x300`,
    ]),
  );
}
const SLOW = { "0.25": 90, "0.5": 95, "1": 100, "+Inf": 100 };
const QUICK = { "0.25": 100, "0.5": 100, "1": 100, "+Inf": 100 };

const CASES: Readonly<Record<string, Case>> = {
  KvNodeDown: {
    fires: [{ series: { [`up{${NODE}}`]: "1x4 0x10" }, notYet: "5m", at: "7m", labels: OF_NODE }],
    quiet: [
      { [`up{${NODE}}`]: "1x5 0 1x100" },
      { 'up{job="prometheus",instance="127.0.0.1:9090"}': "0x100" },
    ],
  },
  KvPartitionsWithoutQuorum: {
    fires: [
      {
        series: { [`kv_partitions{${NODE},state="no-quorum"}`]: "0x4 256x10" },
        notYet: "5m",
        at: "7m",
        labels: { ...OF_NODE, state: "no-quorum" },
      },
    ],
    quiet: [{ [`kv_partitions{${NODE},state="ok"}`]: "256x300" }],
  },
  KvPartitionsDegraded: {
    fires: [
      {
        series: { [`kv_partitions{${NODE},state="degraded"}`]: "256x30" },
        notYet: "14m",
        at: "16m",
        labels: { ...OF_NODE, state: "degraded" },
      },
    ],
    quiet: [{ [`kv_partitions{${NODE},state="degraded"}`]: "256x10 0x30" }],
  },
  KvErrorBudgetFastBurn: {
    fires: [
      {
        series: {
          [requests("write", "ok")]: "0+980x90",
          [requests("write", "write-unknown")]: "0+20x90",
        },
        notYet: "1m",
        at: "65m",
        labels: { job: "quorate" },
      },
    ],
    quiet: [
      { [requests("read", "ok")]: "0+990x300", [requests("read", "read-timeout")]: "0+10x300" },
      // Mistakes of clients.
      { [requests("write", "ok")]: "0+1x300", [requests("write", "write-id-reused")]: "0+99x300" },
      // No failure ever, and no operation at all.
      { [requests("read", "ok")]: "0+990x300" },
      { [requests("read", "read-timeout")]: "5x300" },
    ],
  },
  KvErrorBudgetSlowBurn: {
    fires: [
      {
        series: {
          [requests("read", "ok")]: "0+990x400",
          [requests("read", "read-timeout")]: "0+10x400",
        },
        notYet: "10m",
        at: "380m",
        labels: { job: "quorate" },
      },
    ],
    quiet: [
      { [requests("read", "ok")]: "0+9990x300", [requests("read", "read-timeout")]: "0+10x300" },
    ],
  },
  KvSlowOperations: {
    fires: [
      {
        series: histogram("kv_request_duration_seconds", `${NODE},op="write",mode="lww"`, SLOW),
        notYet: "5m",
        at: "20m",
        labels: { job: "quorate", op: "write" },
      },
    ],
    quiet: [
      histogram("kv_request_duration_seconds", `${NODE},op="write",mode="lww"`, QUICK),
      histogram("kv_request_duration_seconds", `${NODE},op="explain",mode="lww"`, SLOW),
    ],
  },
  KvSlowReplica: {
    fires: [
      {
        series: histogram(
          "kv_replica_answer_duration_seconds",
          `${NODE},peer="n2",op="read"`,
          SLOW,
        ),
        notYet: "5m",
        at: "20m",
        labels: { ...OF_NODE, peer: "n2", op: "read" },
      },
    ],
    quiet: [histogram("kv_replica_answer_duration_seconds", `${NODE},peer="n2",op="read"`, QUICK)],
  },
  KvSlowCommits: {
    fires: [
      {
        series: histogram("kv_storage_commit_duration_seconds", `${NODE},durability="sync"`, SLOW),
        notYet: "5m",
        at: "20m",
        labels: { ...OF_NODE, durability: "sync" },
      },
    ],
    quiet: [
      histogram("kv_storage_commit_duration_seconds", `${NODE},durability="sync"`, QUICK),
      histogram("kv_storage_commit_duration_seconds", `${NODE},durability="async"`, SLOW),
    ],
  },
  KvPeerDisconnected: {
    fires: [
      {
        series: { [`kv_peer_connected{${NODE},peer="n2"}`]: "1x5 0x30" },
        notYet: "9m",
        at: "12m",
        labels: { ...OF_NODE, peer: "n2" },
      },
    ],
    quiet: [{ [`kv_peer_connected{${NODE},peer="n2"}`]: "1x5 0x3 1x200" }],
  },
  KvPeerSuspect: {
    fires: [
      {
        series: { [`kv_peer_suspect{${NODE},peer="n2"}`]: "1 0 1x30" },
        notYet: "3m",
        at: "15m",
        labels: { ...OF_NODE, peer: "n2" },
      },
    ],
    quiet: [{ [`kv_peer_suspect{${NODE},peer="n2"}`]: "0x20 1x3 0x200" }],
  },
  KvReadRepairStorm: {
    fires: [
      {
        series: {
          [requests("read", "ok")]: "0+600x60",
          [`kv_read_repairs_total{${NODE},result="met"}`]: "0+120x60",
        },
        notYet: "5m",
        at: "20m",
        labels: { job: "quorate" },
      },
    ],
    quiet: [
      // A tenth is none, and neither is a handful of reads.
      {
        [requests("read", "ok")]: "0+600x300",
        [`kv_read_repairs_total{${NODE},result="met"}`]: "0+50x300",
      },
      {
        [requests("read", "ok")]: "0+10x300",
        [`kv_read_repairs_total{${NODE},result="met"}`]: "0+10x300",
      },
    ],
  },
  KvClockUnsafe: {
    fires: [
      {
        series: { [`kv_clock_unsafe{${NODE}}`]: "0x4 1x10" },
        notYet: "4m",
        at: "6m",
        labels: OF_NODE,
      },
    ],
    quiet: [{ [`kv_clock_unsafe{${NODE}}`]: "0x300" }],
  },
  KvClockOffset: {
    fires: [
      {
        series: { [`kv_clock_offset_seconds{${NODE},peer="n2"}`]: "-0.3x20" },
        notYet: "4m",
        at: "6m",
        labels: { ...OF_NODE, peer: "n2" },
      },
    ],
    quiet: [{ [`kv_clock_offset_seconds{${NODE},peer="n2"}`]: "0.1x300" }],
  },
  KvNodeReadOnly: {
    fires: [
      {
        series: { [`kv_node_read_only{${NODE}}`]: "0x4 1x10" },
        notYet: "4m",
        at: "6m",
        labels: OF_NODE,
      },
    ],
    quiet: [{ [`kv_node_read_only{${NODE}}`]: "0x300" }],
  },
  KvDiskWillFill: {
    fires: [
      {
        series: {
          [`kv_disk_free_bytes{${NODE}}`]: "4000-4x300",
          [`kv_disk_size_bytes{${NODE}}`]: "10000x300",
        },
        notYet: "20m",
        at: "60m",
        labels: OF_NODE,
      },
    ],
    quiet: [
      // It falls as fast, from a disk that is nearly empty; and slowly, from one that is half full.
      {
        [`kv_disk_free_bytes{${NODE}}`]: "9000-4x300",
        [`kv_disk_size_bytes{${NODE}}`]: "10000x300",
      },
      {
        [`kv_disk_free_bytes{${NODE}}`]: "4000-1x300",
        [`kv_disk_size_bytes{${NODE}}`]: "10000x300",
      },
    ],
  },
  KvDamagedRecords: {
    fires: [
      {
        // The first of its kind: the series comes about with it.
        series: { [`kv_storage_damaged_records_total{${NODE},reason="block"}`]: "_x10 1x30" },
        notYet: "9m",
        at: "20m",
        labels: { ...OF_NODE, reason: "block" },
      },
      {
        series: { [`kv_storage_damaged_records_total{${NODE},reason="block"}`]: "3x99 4x30" },
        notYet: "90m",
        at: "105m",
        labels: { ...OF_NODE, reason: "block" },
      },
    ],
    quiet: [{ [`kv_storage_damaged_records_total{${NODE},reason="block"}`]: "0x300" }],
  },
  KvQuarantineNotEmpty: {
    fires: [
      {
        series: { [`kv_quarantined_records{${NODE}}`]: "2x60" },
        notYet: "29m",
        at: "31m",
        labels: OF_NODE,
      },
    ],
    quiet: [{ [`kv_quarantined_records{${NODE}}`]: "2x20 0x100" }],
  },
  KvResyncStuck: {
    fires: [
      {
        series: { [`kv_resync_partitions{${NODE}}`]: "256x60" },
        notYet: "29m",
        at: "31m",
        labels: OF_NODE,
      },
    ],
    quiet: [{ [`kv_resync_partitions{${NODE}}`]: "256x20 0x100" }],
  },
  KvBoundExceeded: {
    fires: [
      {
        series: { [`kv_bound_exceeded_total{${NODE},bound="commitQueueMax"}`]: "0+5x30" },
        notYet: "3m",
        at: "10m",
        labels: { ...OF_NODE, bound: "commitQueueMax" },
      },
    ],
    quiet: [
      { [`kv_bound_exceeded_total{${NODE},bound="commitQueueMax"}`]: "7x300" },
      { [`kv_bound_exceeded_total{${NODE},bound="operationLinesMax"}`]: "0+5x300" },
    ],
  },
  KvEventLoopLag: {
    fires: [
      {
        series: { [`nodejs_eventloop_lag_p99_seconds{${NODE}}`]: "0.2x30" },
        notYet: "9m",
        at: "11m",
        labels: OF_NODE,
      },
    ],
    quiet: [{ [`nodejs_eventloop_lag_p99_seconds{${NODE}}`]: "0.02x300" }],
  },
  KvBug: {
    fires: [
      {
        series: { [`kv_problems_total{${NODE},code="internal"}`]: "_x10 1x30" },
        notYet: "9m",
        at: "20m",
        labels: { ...OF_NODE, code: "internal" },
      },
    ],
    quiet: [{ [`kv_problems_total{${NODE},code="key-not-found"}`]: "0+5x300" }],
  },
  KvRestarts: {
    fires: [
      {
        series: { [`process_start_time_seconds{${NODE}}`]: "100x5 400x5 700x5 1000x20" },
        notYet: "10m",
        at: "20m",
        labels: OF_NODE,
      },
    ],
    quiet: [{ [`process_start_time_seconds{${NODE}}`]: "100x5 400x300" }],
  },
  KvVersionSkew: {
    fires: [
      {
        series: {
          [`kv_build_info{${NODE},version="0.1.0",node_version="v20"}`]: "1x100",
          'kv_build_info{job="quorate",instance="kv2:7080",version="0.2.0",node_version="v20"}':
            "1x100",
        },
        notYet: "59m",
        at: "61m",
        labels: { job: "quorate" },
      },
    ],
    quiet: [
      {
        [`kv_build_info{${NODE},version="0.1.0",node_version="v20"}`]: "1x300",
        'kv_build_info{job="quorate",instance="kv2:7080",version="0.1.0",node_version="v24"}':
          "1x300",
      },
    ],
  },
  KvDocumentSkew: {
    fires: [
      {
        series: {
          [`kv_document_version{${NODE}}`]: "3x30",
          'kv_document_version{job="quorate",instance="kv2:7080"}': "2x30",
        },
        notYet: "4m",
        at: "6m",
        labels: { job: "quorate" },
      },
    ],
    quiet: [
      {
        [`kv_document_version{${NODE}}`]: "2x5 3x300",
        'kv_document_version{job="quorate",instance="kv2:7080"}': "2x6 3x300",
      },
    ],
  },
  KvManySiblings: {
    fires: [
      {
        series: histogram("kv_siblings", NODE, { "1": 50, "8": 90, "16": 100, "+Inf": 100 }),
        notYet: "10m",
        at: "40m",
        labels: { job: "quorate" },
      },
    ],
    quiet: [histogram("kv_siblings", NODE, { "1": 99, "8": 100, "16": 100, "+Inf": 100 })],
  },
};

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "quorate-alerts-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** What Prometheus makes of the alert's annotations; they use labels alone. */
function annotationsOf(alert: string, labels: Readonly<Record<string, string>>) {
  const { annotations = {} } = ALERTS.find((rule) => rule.alert === alert) ?? {};
  const rendered = Object.entries(annotations).map(([name, text]) => [
    name,
    text.replaceAll(/\{\{ \$labels\.(\w+) \}\}/g, (_, label: string) => labels[label] ?? ""),
  ]);
  return Object.fromEntries(rendered) as Readonly<Record<string, string>>;
}

function seriesOf(series: Readonly<Record<string, string>>) {
  return Object.entries(series).map(([name, values]) => ({ series: name, values }));
}

function firingTest(alert: string, { series, notYet, at, labels }: Firing) {
  const severity = ALERTS.find((rule) => rule.alert === alert)?.labels?.["severity"];
  const fired = {
    exp_labels: { ...labels, severity },
    exp_annotations: annotationsOf(alert, labels),
  };
  return {
    interval: "1m",
    input_series: seriesOf(series),
    alert_rule_test: [
      { eval_time: notYet, alertname: alert, exp_alerts: [] },
      { eval_time: at, alertname: alert, exp_alerts: [fired] },
    ],
  };
}

function quietTest(alert: string, series: Readonly<Record<string, string>>) {
  const minutes = Array.from({ length: 22 }, (_, i) => 3 * i + 2);
  const times = minutes.map((minute) => `${minute}m`);
  return {
    interval: "1m",
    input_series: seriesOf(series),
    alert_rule_test: times.map((time) => ({ eval_time: time, alertname: alert, exp_alerts: [] })),
  };
}

/** Before the rules, what they ask for that others record. */
function withRecordings(rules: readonly Rule[]): readonly Rule[] {
  const asked = RECORDING.filter(
    (one) => !rules.includes(one) && rules.some(({ expr }) => expr.includes(one.record ?? "-")),
  );
  return asked.length === 0 ? rules : withRecordings([...asked, ...rules]);
}

/** What promtool says of the tests of one alert; without the others, or it would take minutes. */
function run(alert: string, tests: readonly object[]): { status: number | null; output: string } {
  const alone = join(folder, "alert.yml");
  const rules = withRecordings(ALERTS.filter((rule) => rule.alert === alert));
  writeFileSync(alone, stringify({ groups: [{ name: "alone", rules }] }));
  const file = join(folder, "tests.yml");
  writeFileSync(file, stringify({ rule_files: [alone], evaluation_interval: "1m", tests }));
  return promtool("test", "rules", file);
}

test("every alert has cases in which it fires and in which it does not", () => {
  expect(new Set(Object.keys(CASES))).toEqual(new Set(ALERT_NAMES));
  for (const { fires, quiet } of Object.values(CASES)) {
    expect(Math.min(fires.length, quiet.length)).toBeGreaterThan(0);
  }
});

describe.skipIf(!needs("promtool"))("by promtool", () => {
  test.each(Object.entries(CASES))("%s fires when it should and not before", (alert, { fires }) => {
    const tests = fires.map((firing) => firingTest(alert, firing));
    expect(run(alert, tests)).toMatchObject({ status: 0 });
  });

  test.each(Object.entries(CASES))(
    "%s is quiet where only the looks are alike",
    (alert, { quiet }) => {
      const tests = quiet.map((series) => quietTest(alert, series));
      expect(run(alert, tests)).toMatchObject({ status: 0 });
    },
  );

  test("promtool does object: an alert that is said to fire in peace", () => {
    const peace: Firing = {
      series: { [`up{${NODE}}`]: "1x20" },
      notYet: "1m",
      at: "10m",
      labels: OF_NODE,
    };
    expect(run("KvNodeDown", [firingTest("KvNodeDown", peace)])).toMatchObject({ status: 1 });
  });
});
