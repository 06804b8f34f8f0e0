import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { ERRORS } from "../../../src/core/errors.ts";
import { needs } from "../../support/needs.ts";
import {
  ALERT_NAMES,
  ALERTS,
  promtool,
  read,
  ROOT,
  RUNBOOK_PAGES,
  RULES,
  rulesOf,
  unknownSeries,
} from "./support.ts";

const RECORDING = rulesOf("recording.yml");

describe.skipIf(!needs("promtool"))("promtool", () => {
  test("takes the configuration and every rule", () => {
    const config = promtool("check", "config", join(ROOT, "deploy/prometheus/prometheus.yml"));
    expect(config).toMatchObject({ status: 0 });
    for (const file of ["alerts.yml", "recording.yml"]) {
      const checked = promtool("check", "rules", "--lint-fatal", join(RULES, file));
      expect(checked).toMatchObject({ status: 0 });
    }
  });
});

describe("rules", () => {
  test("ask only for series that nodes have or rules record", () => {
    for (const { expr } of [...RECORDING, ...ALERTS]) expect(unknownSeries(expr)).toEqual([]);
  });

  test("what counts as failed is every code of 429 or 5xx that an operation can end with", () => {
    /** Of changes of buckets and of proxies. */
    const others = ["members-missing", "change-unknown", "gateway-unavailable", "gateway-timeout"];
    const failures = Object.entries(ERRORS)
      .filter(([, { status }]) => status !== undefined && (status === 429 || status >= 500))
      .map(([code]) => code)
      .filter((code) => !others.includes(code));
    const shares = RECORDING.filter(({ record }) => record?.startsWith("job:kv_requests_failed:"));
    expect(shares).toHaveLength(4);
    for (const { expr } of shares) {
      const [, codes = ""] = /result=~"([^"]+)"/.exec(expr) ?? [];
      expect(new Set(codes.split("|"))).toEqual(new Set(failures));
    }
  });
});

describe("alerts", () => {
  test.each(ALERTS)("$alert has a severity, a summary and its runbook", (rule) => {
    expect(["page", "ticket"]).toContain(rule.labels?.["severity"]);
    expect(rule.annotations?.["summary"]).toMatch(/\S/);
    expect(rule.annotations?.["runbook_url"]).toBe(`docs/runbooks/${rule.alert}.md`);
  });

  test("each has a page, and each page an alert", () => {
    expect(new Set(RUNBOOK_PAGES)).toEqual(new Set(ALERT_NAMES));
  });
});

describe("runbooks", () => {
  test.each(RUNBOOK_PAGES)("%s says what it means, how to see it and what to do", (page) => {
    const text = read("docs", "runbooks", `${page}.md`);
    const headings = text.split("\n").filter((line) => line.startsWith("#"));
    expect(headings).toEqual([
      `# ${page}`,
      "## What it means",
      "## How to see it",
      "## What to do",
    ]);
    expect(text).toMatch(/kv status|curl /);
    expect(unknownSeries(text)).toEqual([]);
    for (const [, target = ""] of text.matchAll(/\]\(([^)]+)\)/g)) {
      expect([target, existsSync(join(ROOT, "docs", "runbooks", target))]).toEqual([target, true]);
    }
  });

  test("the index lists every page with the severity of its alert", () => {
    const rows = read("docs", "runbooks", "README.md").match(/^\| \[.*$/gm) ?? [];
    const listed = rows.map((row) =>
      /^\| \[(\w+)\]\(\1\.md\) +\| (\w+) +\|/.exec(row)?.slice(1, 3),
    );
    expect(listed).toEqual(ALERTS.map(({ alert, labels }) => [alert, labels?.["severity"]]));
  });
});

test("the nodes of docker-compose.yml are scraped, each by itself, and nothing else as a node", () => {
  const { scrape_configs: jobs } = parse(read("deploy", "prometheus", "prometheus.yml")) as {
    readonly scrape_configs: readonly {
      readonly job_name: string;
      readonly static_configs: readonly { readonly targets: readonly string[] }[];
    }[];
  };
  const compose = parse(read("docker-compose.yml"), { merge: true }) as {
    readonly services: Readonly<Record<string, { build?: string; expose?: readonly string[] }>>;
  };
  const nodes = Object.entries(compose.services).filter(([, { build }]) => build !== undefined);
  const job = jobs.find(({ job_name: name }) => name === "quorate");
  expect(job?.static_configs.flatMap(({ targets }) => targets)).toEqual(
    nodes.map(([name, { expose }]) => `${name}:${expose?.[0]}`),
  );
});
