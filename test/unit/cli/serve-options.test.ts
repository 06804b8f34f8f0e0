import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { describe, expect, test } from "vitest";
import {
  addOptionTable,
  parseConfigFile,
  parseServeOptions,
} from "../../../src/cli/serve-options.ts";
import { OPTIONS, OPTION_NAMES, flagOf, variableOf } from "../../../src/core/config.ts";
import { kv } from "../../support/shell.ts";

const REQUIRED = { id: "n1", peers: "n1=127.0.0.1:7180", data: "d" };

test.for(OPTION_NAMES)("kv serve --help explains %s from the table", async (name) => {
  const { stdout } = await kv(["serve", "--help"]);
  const help = stdout.toString().replace(/\s+/g, " ");
  const { placeholder, doc } = OPTIONS[name];
  expect(help).toContain(`${flagOf(name)} <${placeholder}> ${doc} (`);
  expect(help).toContain(`${variableOf(name)})`);
});

test("the help shows defaults as they would be typed", async () => {
  const { stdout } = await kv(["serve", "--help"]);
  const help = stdout.toString().replace(/\s+/g, " ");
  expect(help).toContain("(default 127.0.0.1:7080; KV_LISTEN)");
  expect(help).toContain("(default 2000; KV_REQUEST_TIMEOUT_MS)");
  expect(help).toContain("included, the same list on all of them (KV_PEERS)");
});

test("every flag takes a value, whatever its placeholder looks like", () => {
  const command = new Command().exitOverride().configureOutput({ writeErr: () => undefined });
  addOptionTable(command);
  for (const name of OPTION_NAMES) {
    expect(() => command.parse([flagOf(name)], { from: "user" })).toThrow("argument missing");
    command.parse([flagOf(name), "value"], { from: "user" });
    expect(command.opts()[name]).toBe("value");
  }
});

describe("layers", () => {
  const file = new Map(Object.entries({ ...REQUIRED, logLevel: "debug", operationsMax: "1" }));

  test("a flag wins over a variable, a variable over the file, the file over the default", () => {
    const config = parseServeOptions({
      flags: new Map([["logLevel", "error"]]),
      env: { KV_LOG_LEVEL: "warn", KV_OPERATIONS_MAX: "2" },
      file,
    });
    expect(config).toMatchObject({ id: "n1", logLevel: "error", operationsMax: 2 });
    expect(config.requestTimeoutMs).toBe(OPTIONS.requestTimeoutMs.default);
  });

  test("other KV_ variables are left alone: a Kubernetes service named kv sets KV_PORT", () => {
    const env = { KV_PORT: "tcp://10.0.0.1:80", KV_ENDPOINTS: "x" };
    expect(parseServeOptions({ flags: new Map(), env, file }).id).toBe("n1");
  });
});

describe("--config", () => {
  test("takes texts and numbers, refuses the rest by name", () => {
    expect(parseConfigFile('{"id":"n1","operationsMax":5}', "f")).toEqual(
      new Map([
        ["id", "n1"],
        ["operationsMax", "5"],
      ]),
    );
    expect(() => parseConfigFile('{"peers":[]}', "f")).toThrow("'peers' in f is neither");
    expect(() => parseConfigFile("[]", "f")).toThrow("f does not hold one JSON object");
    expect(() => parseConfigFile("{", "f")).toThrow("f is not JSON");
  });

  test.for([
    [{ ...REQUIRED, colour: "red" }, "there is no option 'colour'"],
    [{ ...REQUIRED, operationsMax: 0 }, "'operationsMax' in the file: '0' is not a whole number"],
    [{ id: "n1" }, "--peers (or KV_PEERS) is required"],
  ] as const)("kv serve refuses %j: exit code 2", async ([content, message]) => {
    const folder = await mkdtemp(join(tmpdir(), "kv-test-"));
    const path = join(folder, "config.json");
    await writeFile(path, JSON.stringify(content));
    for (const ran of [
      await kv(["serve", "--config", path]),
      await kv(["serve"], { env: { KV_CONFIG: path } }),
    ]) {
      expect(ran.exitCode).toBe(2);
      expect(ran.stderr).toContain(message);
    }
    await rm(folder, { recursive: true });
  });

  test("a file that is not there is named", async () => {
    const ran = await kv(["serve", "--config", "/no/such.json"]);
    expect(ran.exitCode).toBe(2);
    expect(ran.stderr).toContain("cannot read '/no/such.json'");
  });
});
