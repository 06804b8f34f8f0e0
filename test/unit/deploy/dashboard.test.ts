import { expect, test } from "vitest";
import { parse } from "yaml";
import { read, unknownSeries } from "./support.ts";

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly type: string;
  readonly gridPos: {
    readonly x: number;
    readonly y: number;
    readonly w: number;
    readonly h: number;
  };
  readonly datasource?: { readonly uid: string };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

const DASHBOARD = JSON.parse(read("deploy", "grafana", "dashboards", "quorate.json")) as {
  readonly uid: string;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string }[] };
};
const { panels } = DASHBOARD;
const queries = panels.filter(({ type }) => type !== "row");

function provisioned<T>(...path: readonly string[]): T {
  return parse(read("deploy", "grafana", "provisioning", ...path)) as T;
}

test("every panel asks the data source that is provisioned, and for series that exist", () => {
  const { datasources } = provisioned<{ datasources: readonly { uid: string }[] }>(
    "datasources",
    "prometheus.yml",
  );
  expect(datasources).toHaveLength(1);
  for (const { datasource, targets = [] } of queries) {
    expect(datasource?.uid).toBe(datasources[0]?.uid);
    expect(targets.length).toBeGreaterThan(0);
    for (const { expr } of targets) expect([expr, unknownSeries(expr)]).toEqual([expr, []]);
  }
});

test("queries use the variables that the dashboard has, and Grafana's own", () => {
  const own = new Set(DASHBOARD.templating.list.map(({ name }) => `$${name}`));
  const used = queries.flatMap(({ targets = [] }) =>
    targets.flatMap(({ expr }) => expr.match(/\$\w+/g) ?? []),
  );
  expect(new Set(used)).toEqual(new Set([...own, "$__rate_interval"]));
});

test("panels have ids of their own and do not lie on each other", () => {
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) => {
    expect(x + w).toBeLessThanOrEqual(24);
    return Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`);
  });
  expect(new Set(cells).size).toBe(cells.length);
});
