import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { VALUE_BYTES_MAX } from "../../../src/core/bucket.ts";
import { OPTIONS, OPTION_NAMES, variableOf } from "../../../src/core/config.ts";
import { parseConfig } from "../../../src/core/parse-config.ts";
import type { Config } from "../../../src/core/config.ts";
import { needs } from "../../support/needs.ts";
import { ALERT_NAMES, read, ROOT } from "./support.ts";

// No container engine runs where these tests run, so the deployment files are held against each
// other and against the code that they configure.

interface Service {
  readonly image: string;
  readonly build?: string;
  readonly command?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes: readonly string[];
  readonly ports?: readonly string[];
  readonly expose?: readonly string[];
  readonly extra_hosts?: readonly string[];
  readonly depends_on?: readonly string[];
  readonly networks: unknown;
  readonly healthcheck: { readonly test: readonly string[] };
  readonly stop_grace_period: string;
  readonly read_only: boolean;
  readonly init: boolean;
  readonly mem_limit: string;
}

const COMPOSE_TEXT = read("docker-compose.yml");
const COMPOSE = parse(COMPOSE_TEXT, { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, null>>;
};
const NGINX_CONF = read("nginx.conf");
const HAPROXY_CFG = read("deploy/haproxy/haproxy.cfg");
const DOCKERFILE = read("Dockerfile");

const NODES = Object.entries(COMPOSE.services).filter(([, service]) => service.build !== undefined);

function serviceNamed(name: string): Service {
  const service = COMPOSE.services[name];
  if (service === undefined) throw new Error(`there is no service '${name}'`);
  return service;
}

/** The configuration that a node gets out of its environment, by the code that a node runs. */
function configOf(service: Service): Config {
  const variables = Object.entries(service.environment ?? {}).map(([variable, text]) => {
    const name = OPTION_NAMES.find((candidate) => variableOf(candidate) === variable);
    if (name === undefined) throw new Error(`there is no option for ${variable}`);
    return [name, text.replace(/^\$\{KV_SECRET:\?.+\}$/, "a secret")] as const;
  });
  return parseConfig({ flags: new Map(), variables: new Map(variables), file: new Map() });
}

/** `10s`, `2500ms` */
function milliseconds(text: string): number {
  const match = /^(\d+)(ms|s)$/.exec(text);
  if (match === null) throw new Error(`'${text}' is no time`);
  return Number(match[1]) * (match[2] === "s" ? 1_000 : 1);
}

function allOf(pattern: RegExp, text: string): readonly string[] {
  return [...text.matchAll(pattern)].map((match) => match[1] ?? "");
}

function oneOf(pattern: RegExp, text: string): string {
  const [only, ...others] = allOf(new RegExp(pattern, "gm"), text);
  if (only === undefined || others.length > 0) throw new Error(`${pattern} should match once`);
  return only;
}

describe("docker-compose.yml", () => {
  test("has three nodes, each with a valid configuration of its own", () => {
    expect(NODES.map(([name]) => name)).toEqual(["kv1", "kv2", "kv3"]);
    const configs = NODES.map(([, service]) => configOf(service));
    expect(configs.map(({ id }) => id)).toEqual(["n1", "n2", "n3"]);
    for (const { peers, clusterId, secret } of configs) {
      expect({ peers, clusterId, secret }).toEqual({
        peers: configs[0]?.peers,
        clusterId: configs[0]?.clusterId,
        secret: configs[0]?.secret,
      });
    }
  });

  test("the peer list names every node's service, id and peer port, each in a zone of its own", () => {
    const expected = NODES.map(([host, service]) => {
      const { id, peerListen } = configOf(service);
      return { id, address: { host, port: peerListen.port } };
    });
    for (const [, service] of NODES) {
      const { peers, listen, peerListen } = configOf(service);
      expect(peers.map(({ id, address }) => ({ id, address }))).toEqual(expected);
      expect(new Set(peers.map(({ zone }) => zone)).size).toBe(NODES.length);
      expect(service.expose).toEqual([`${listen.port}`, `${peerListen.port}`]);
      expect([listen.host, peerListen.host]).toEqual(["0.0.0.0", "0.0.0.0"]);
    }
  });

  test("no secret is committed: without KV_SECRET in the environment nothing starts", () => {
    expect(allOf(/KV_SECRET: (.*)/g, COMPOSE_TEXT)).toEqual([
      expect.stringMatching(/^\$\{KV_SECRET:\?.+\}$/),
    ]);
  });

  test("every mounted file exists and every volume is declared and used once", () => {
    const mounts = Object.values(COMPOSE.services).flatMap(({ volumes }) =>
      volumes.map((volume) => volume.split(":")[0] ?? ""),
    );
    const files = mounts.filter((source) => source.startsWith("."));
    expect(new Set(files)).toEqual(
      new Set([
        "./nginx.conf",
        "./deploy/prometheus",
        "./deploy/alertmanager",
        "./deploy/grafana/provisioning",
        "./deploy/grafana/dashboards",
      ]),
    );
    for (const file of files) expect(existsSync(join(ROOT, file))).toBe(true);
    expect(mounts.filter((source) => !source.startsWith("."))).toEqual(
      Object.keys(COMPOSE.volumes),
    );
    for (const [, service] of NODES) {
      expect(service.volumes[0]?.split(":")[1]).toBe(configOf(service).data);
    }
  });

  test("a node's health is its /readyz, asked without curl", () => {
    for (const [, service] of NODES) {
      const [kind, program, , script] = service.healthcheck.test;
      expect([kind, program]).toEqual(["CMD", "node"]);
      expect(script).toContain(`http://127.0.0.1:${configOf(service).listen.port}/readyz`);
    }
  });

  test("every service has a bound on memory, an init and a root file system that it cannot write", () => {
    for (const service of Object.values(COMPOSE.services)) {
      expect(service).toMatchObject({
        init: true,
        read_only: true,
        mem_limit: expect.stringMatching(/^\d+[mg]$/),
        cap_drop: ["ALL"],
        ulimits: { nofile: expect.any(Number) },
      });
    }
  });

  test("services get longer to stop than they take to drain", () => {
    const patience = allOf(/proxy_read_timeout (\w+);/g, NGINX_CONF).map(milliseconds);
    const grace = milliseconds(serviceNamed("nginx").stop_grace_period);
    expect(grace).toBeGreaterThan(Math.max(...patience));
    for (const [, service] of NODES) {
      const { drainNoticeMs, drainTimeoutMs } = configOf(service);
      const drain = drainNoticeMs + drainTimeoutMs;
      expect(milliseconds(service.stop_grace_period)).toBeGreaterThan(drain);
    }
  });
});

describe("what watches the nodes", () => {
  const WATCHERS = { prometheus: 9090, alertmanager: 9093, grafana: 3000 };

  /** Where a file of this repository is in a service's container. */
  function mountOf(service: string, source: string): string | undefined {
    const mount = serviceNamed(service).volumes.find((volume) => volume.startsWith(`${source}:`));
    expect(mount).toMatch(/:ro$/);
    return mount?.split(":")[1];
  }

  test.each(Object.entries(WATCHERS))("%s is on loopback, asked how it is there", (name, port) => {
    const { ports, healthcheck } = serviceNamed(name);
    expect(ports).toEqual([`127.0.0.1:${port}:${port}`]);
    expect(healthcheck.test.slice(0, 2)).toEqual(["CMD", "wget"]);
    expect(healthcheck.test.at(-1)).toMatch(new RegExp(`^http://127\\.0\\.0\\.1:${port}/`));
  });

  test("every image has an exact version", () => {
    for (const { image } of Object.values(COMPOSE.services)) {
      expect(image).toMatch(/:v?\d+\.\d+\.\d+(-alpine)?$/);
    }
  });

  test("Prometheus finds its configuration and Alertmanager", () => {
    const config = `${mountOf("prometheus", "./deploy/prometheus")}/prometheus.yml`;
    expect(serviceNamed("prometheus").command).toContain(`--config.file=${config}`);
    const { alerting } = parse(read("deploy/prometheus/prometheus.yml")) as {
      readonly alerting: unknown;
    };
    expect(alerting).toEqual({
      alertmanagers: [{ static_configs: [{ targets: [`alertmanager:${WATCHERS.alertmanager}`] }] }],
    });
  });

  test("Alertmanager finds its configuration, whose inhibitions name alerts that exist", () => {
    const config = `${mountOf("alertmanager", "./deploy/alertmanager")}/alertmanager.yml`;
    expect(serviceNamed("alertmanager").command).toContain(`--config.file=${config}`);
    const named = read("deploy/alertmanager/alertmanager.yml").match(/Kv\w+/g) ?? [];
    expect(named.length).toBeGreaterThan(0);
    for (const name of named) expect(ALERT_NAMES).toContain(name);
  });

  test.skipIf(!needs("amtool"))("amtool takes Alertmanager's configuration", () => {
    const file = join(ROOT, "deploy/alertmanager/alertmanager.yml");
    expect(spawnSync("amtool", ["check-config", file]).status).toBe(0);
  });

  test("Grafana finds its data source and its dashboard, and asks Prometheus", () => {
    expect(mountOf("grafana", "./deploy/grafana/provisioning")).toBe("/etc/grafana/provisioning");
    const { datasources } = parse(
      read("deploy/grafana/provisioning/datasources/prometheus.yml"),
    ) as { readonly datasources: readonly { readonly url: string }[] };
    expect(datasources.map(({ url }) => url)).toEqual([`http://prometheus:${WATCHERS.prometheus}`]);
    const { providers } = parse(read("deploy/grafana/provisioning/dashboards/quorate.yml")) as {
      readonly providers: readonly { readonly options: { readonly path: string } }[];
    };
    const folder = mountOf("grafana", "./deploy/grafana/dashboards");
    expect(providers.map(({ options }) => options.path)).toEqual([folder]);
    expect(serviceNamed("grafana").environment).toMatchObject({
      GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH: `${folder}/quorate.json`,
    });
    expect(existsSync(join(ROOT, "deploy/grafana/dashboards/quorate.json"))).toBe(true);
  });
});

describe("nginx.conf", () => {
  const upstreams = new Map(
    [...NGINX_CONF.matchAll(/^ {4}upstream (\w+) \{\n([^}]*)\}/gm)].map(
      ([, name = "", body = ""]) => [
        name,
        [...body.matchAll(/server (\S+)( .*)?;/g)].map(([, address = "", parameters = ""]) => ({
          address,
          backup: parameters.includes("backup"),
        })),
      ],
    ),
  );
  const clientAddresses = NODES.map(
    ([host, service]) => `${host}:${configOf(service).listen.port}`,
  );

  test("each node has a group that begins with it and a group of those that the first never asks", () => {
    expect(upstreams.size).toBe(2 * NODES.length);
    for (const [index, [name]] of NODES.entries()) {
      const [first, ...backups] = upstreams.get(`${name}_first`) ?? [];
      const second = upstreams.get(`${name}_second`) ?? [];
      expect(first).toEqual({ address: clientAddresses[index], backup: false });
      expect(backups.map(({ backup }) => backup)).toEqual([true]);
      expect(second.map(({ backup }) => backup)).toEqual([false]);
      const addresses = [first, ...backups, ...second].map((server) => server?.address);
      expect(addresses).toHaveLength(NODES.length);
      expect(new Set(addresses)).toEqual(new Set(clientAddresses));
    }
  });

  test("nginx knows the nodes by the addresses that their containers have", () => {
    const addresses = NODES.map(([name, { networks }]) => {
      const { kv } = networks as { readonly kv: { readonly ipv4_address: string } };
      return `${name}:${kv.ipv4_address}`;
    });
    expect(serviceNamed("nginx").extra_hosts).toEqual(addresses);
    expect(serviceNamed("nginx").depends_on).toEqual(NODES.map(([name]) => name));
  });

  test("the published port and the health check are those that nginx listens on", () => {
    const port = oneOf(/^ +listen (\d+);/, NGINX_CONF);
    const nginx = serviceNamed("nginx");
    expect(nginx.ports).toEqual([`127.0.0.1:${port}:${port}`]);
    expect(nginx.healthcheck.test.at(-1)).toBe(`http://127.0.0.1:${port}/healthz`);
    expect(nginx.entrypoint?.join(" ")).toContain(nginx.volumes[0]?.split(":")[1]);
  });

  test("nodes answer before nginx stops waiting for them", () => {
    const usual = milliseconds(oneOf(/^ {4}proxy_read_timeout (\w+);/, NGINX_CONF));
    expect(usual).toBeGreaterThan(OPTIONS.requestTimeoutMs.default ?? Infinity);
    const long = allOf(/^ {12}proxy_read_timeout (\w+);/gm, NGINX_CONF).map(milliseconds);
    expect(Math.min(...long)).toBeGreaterThan(OPTIONS.requestTimeoutMaxMs.default ?? Infinity);
  });
});

describe("haproxy.cfg", () => {
  test("asks each node of the compose file whether it is ready, and hands reads and writes to all", () => {
    const addresses = NODES.map(
      ([host, service]) => `${host} ${host}:${configOf(service).listen.port}`,
    );
    expect(allOf(/^ {4}server (\S+ [^@\s]+)$/gm, HAPROXY_CFG)).toEqual([
      ...addresses,
      ...addresses,
    ]);
    const names = NODES.map(([name]) => `${name} unix@${name}.sock track read/${name}`);
    expect(allOf(/^ {4}server (\S+ unix@.+)$/gm, HAPROXY_CFG)).toEqual(names);
    expect(allOf(/^ {4}option httpchk (.+)$/gm, HAPROXY_CFG)).toEqual(["GET /readyz"]);
  });

  test("nodes answer before HAProxy stops waiting for them, and the first step of a write before the second", () => {
    const usual = milliseconds(oneOf(/^ {4}timeout server (\w+) # \[edit\]/, HAPROXY_CFG));
    expect(usual).toBeGreaterThan(OPTIONS.requestTimeoutMs.default ?? Infinity);
    const long = allOf(/set-timeout server (\w+) /g, HAPROXY_CFG).map(milliseconds);
    expect(long).toHaveLength(2);
    expect(Math.min(...long)).toBeGreaterThan(OPTIONS.requestTimeoutMaxMs.default ?? Infinity);
    const inner = milliseconds(oneOf(/^ {4}timeout server (\w+) # `write`/, HAPROXY_CFG));
    expect(inner).toBeGreaterThan(Math.max(...long));
    const stopping = milliseconds(oneOf(/hard-stop-after (\w+)/, HAPROXY_CFG));
    expect(stopping).toBeGreaterThan(Math.max(...long));
  });

  test("a buffer holds the largest value and the largest headers", () => {
    const buffer = Number(oneOf(/tune\.bufsize (\d+)/, HAPROXY_CFG));
    const value = Number(oneOf(/req\.body_size gt (\d+)/, HAPROXY_CFG));
    expect(value).toBe(VALUE_BYTES_MAX);
    expect(buffer - value).toBeGreaterThanOrEqual(64 * 1024);
  });
});

describe("Dockerfile", () => {
  const packageJson = JSON.parse(read("package.json")) as {
    readonly version: string;
    readonly engines: { readonly node: string };
    readonly scripts: Readonly<Record<string, string>>;
  };

  test("starts the program where the build leaves it", () => {
    const build = JSON.parse(read("tsconfig.build.json")) as {
      readonly compilerOptions: { readonly rootDir: string; readonly outDir: string };
    };
    const { rootDir, outDir } = build.compilerOptions;
    const entrypoint = JSON.parse(oneOf(/^ENTRYPOINT (.*)$/, DOCKERFILE)) as string[];
    const source = join("src", "cli", "main.ts");
    expect(rootDir).toBe(".");
    expect(entrypoint).toEqual(["node", join(outDir, source).replace(/\.ts$/, ".js")]);
    expect(existsSync(join(ROOT, source))).toBe(true);
    expect(packageJson.scripts["build"]).toBe("tsc -p tsconfig.build.json");
    for (const [, { command, image }] of NODES) {
      expect(command).toEqual(["serve"]);
      expect(image).toBe(`quorate:${packageJson.version}`);
    }
  });

  test("its stages share one exact Node version, inside package.json's engines", () => {
    const [image = "", ...others] = new Set(allOf(/^FROM (\S+)/gm, DOCKERFILE));
    expect(others).toEqual([]);
    const version = oneOf(/^node:(\d+\.\d+\.\d+)-bookworm-slim$/, image);
    const [, least = "", below = ""] = /^>=(\S+) <(\S+)$/.exec(packageJson.engines.node) ?? [];
    const byNumber = new Intl.Collator("en", { numeric: true });
    expect(byNumber.compare(version, least)).toBeGreaterThanOrEqual(0);
    expect(byNumber.compare(version, below)).toBeLessThan(0);
  });

  test("runs as a user who is not root", () => {
    expect(oneOf(/^USER (\w+)$/, DOCKERFILE)).toBe("node");
  });

  test("copies only what exists and .dockerignore lets in", () => {
    const sources = allOf(/^COPY (?!--from)(.+) \S+$/gm, DOCKERFILE).flatMap((list) =>
      list.split(" "),
    );
    const [nothing, ...admitted] = read(".dockerignore").trim().split("\n").slice(1);
    expect(nothing).toBe("*");
    expect([...new Set(sources)].map((source) => `!${source}`).toSorted()).toEqual(
      admitted.toSorted(),
    );
    for (const source of sources) expect(existsSync(join(ROOT, source))).toBe(true);
  });
});
