import {
  chmod,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { effectiveSettings } from "../../../src/cli/settings/effective.ts";
import { parseProfiles, profilesText } from "../../../src/cli/settings/profiles.ts";
import type { SettingName } from "../../../src/cli/settings/table.ts";
import { FakeNode, keepsValues } from "../../support/fake-node.ts";
import { kv } from "../../support/shell.ts";

let home = "";
let file = "";
let env: Readonly<Record<string, string>> = {};

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "kv-settings-"));
  file = join(home, "kv", "profiles.json");
  env = { XDG_CONFIG_HOME: home };
});

afterEach(() => rm(home, { recursive: true, force: true }));

async function settings(argv: readonly string[], given = env) {
  const { stdout } = await kv(["config", "show", ...argv, "-o", "jsonl"], { env: given });
  const lines = stdout.toString().trim().split("\n");
  return Object.fromEntries(
    lines.map((line) => {
      const { name, ...rest } = JSON.parse(line) as { name: string };
      return [name, rest];
    }),
  );
}

describe("the settings that count", () => {
  test("flag over variable over profile over default, each tried with all below it", () => {
    const levels = ["flag", "variable", "profile", "default"] as const;
    for (const [at, expected] of levels.entries()) {
      const has = (level: (typeof levels)[number]) => levels.indexOf(level) >= at;
      const [bucket] = effectiveSettings({
        flags: new Map(has("flag") ? [["bucket", "by-flag"]] : []),
        env: has("variable") ? { KV_BUCKET: "by-variable" } : { KV_BUCKET: "" },
        profile: {
          name: "p",
          file: "/f",
          texts: new Map<SettingName, string>(has("profile") ? [["bucket", "by-profile"]] : []),
        },
      }).filter(({ name }) => name === "bucket");
      expect(bucket?.origin).toBe(expected);
      expect(bucket?.value).toBe(expected === "default" ? "default" : `by-${expected}`);
    }
  });

  test("kv config show --origin names flag, variable and profile", async () => {
    await kv(["profile", "save", "p", "--timeout", "70", "-b", "carts"], { env });
    const argv = ["config", "show", "--origin", "--profile", "p", "-o", "table"];
    const shown = await kv(argv, { env: { ...env, KV_BUCKET: "b" } });
    expect(shown.stdout.toString()).toMatch(/^SETTING +VALUE +FROM/);
    expect(shown.stdout.toString()).toMatch(/^endpoints +http:\/\/127\.0\.0\.1:7080 +default /m);
    expect(shown.stdout.toString()).toMatch(/^bucket +b +KV_BUCKET /m);
    expect(shown.stdout.toString()).toMatch(/^timeout +70 +profile p /m);
    expect(shown.stdout.toString()).toMatch(/^output +table +--output /m);
    expect(shown.stderr).toBe(`kv: profile p is in ${file}\n`);
    const plain = await kv(["config", "show"], { env });
    expect(plain.stdout.toString()).toMatch(/^SETTING +VALUE\n/);
    expect(plain.stdout.toString()).toMatch(/^timeout +the command's own /m);
  });

  test("-o json is stable", async () => {
    const { stdout } = await kv(["config", "show", "-o", "json"], { env: { KV_TIMEOUT: "9" } });
    expect(JSON.parse(stdout.toString())).toEqual({
      profile: null,
      settings: {
        endpoints: { value: "http://127.0.0.1:7080", origin: "default", from: null },
        bucket: { value: "default", origin: "default", from: null },
        timeout: { value: 9, origin: "variable", from: "KV_TIMEOUT" },
        output: { value: "json", origin: "flag", from: "--output" },
      },
    });
  });

  test.for([
    ["KV_TIMEOUT", "soon", "a whole number of milliseconds from 1"],
    ["KV_OUTPUT", "xml", "one of table, json, jsonl"],
    ["KV_ENDPOINTS", " , ", "a list of URLs, separated by commas"],
  ] as const)("%s=%s: exit code 2 and what it must be; a flag makes up for it", async (one) => {
    const [variable, text, form] = one;
    const wrong = { ...env, [variable]: text };
    const ran = await kv(["config", "show"], { env: wrong });
    expect(ran.exitCode).toBe(2);
    expect(ran.stderr).toContain(`${variable}: '${text}' is no `);
    expect(ran.stderr).toContain(form);
    const flags = ["--timeout", "1", "-o", "json", "-e", "n1:1"];
    expect((await kv(["config", "show", ...flags], { env: wrong })).exitCode).toBe(0);
  });
});

describe("a command", () => {
  test("goes by the profile's endpoints, bucket, timeout and output", async () => {
    await using node = await FakeNode.open(keepsValues());
    const flags = ["-e", node.url, "-b", "carts", "--timeout", "1000", "-o", "json"];
    await kv(["profile", "save", "p", ...flags], { env });
    const put = await kv(["put", "k", "v", "--profile", "p"], { env });
    expect(JSON.parse(put.stdout.toString())).toMatchObject({ bucket: "carts", key: "k" });
    expect(node.requests[0]?.path).toBe("/v1/kv64/carts/aw");
    expect(node.requests[0]?.query.get("timeout")).toMatch(/^(8[5-9]\d|900)$/);
  });

  test("takes --profile over KV_PROFILE over the one in use; none is none of them", async () => {
    for (const name of ["a", "b", "c"]) await kv(["profile", "save", name, "-b", name], { env });
    const bucketOf = async (argv: readonly string[], variables = {}) =>
      (await settings(argv, { ...env, ...variables }))["bucket"];
    expect(await bucketOf([])).toMatchObject({ value: "default" });
    await kv(["profile", "use", "a"], { env });
    expect(await bucketOf([])).toEqual({ value: "a", origin: "profile", from: "profile a" });
    expect(await bucketOf([], { KV_PROFILE: "b" })).toMatchObject({ value: "b" });
    expect(await bucketOf(["--profile", "c"], { KV_PROFILE: "b" })).toMatchObject({ value: "c" });
    expect(await bucketOf(["--profile", "none"])).toMatchObject({ value: "default" });
    await kv(["profile", "use", "none"], { env });
    expect(await bucketOf([])).toMatchObject({ value: "default" });
  });

  test("that asks no node is not kept from its work by a profile that does not exist", async () => {
    const missing = { ...env, KV_PROFILE: "gone" };
    const asked = await kv(["get", "k"], { env: missing });
    expect(asked.exitCode).toBe(2);
    expect(asked.stderr).toContain("no profile is named 'gone'; there is none yet");
    expect((await kv(["version"], { env: missing })).exitCode).toBe(0);
    expect((await kv(["profile", "ls"], { env: missing })).exitCode).toBe(0);
  });
});

describe("kv profile", () => {
  test("ls shows what each sets and which is in use; rm of that one leaves none in use", async () => {
    await kv(["profile", "save", "b", "-b", "carts"], { env });
    await kv(["profile", "save", "a", "-e", "n1:1,n2:1", "--timeout", "7"], { env });
    await kv(["profile", "use", "a"], { env });
    const table = await kv(["profile", "ls"], { env });
    expect(table.stdout.toString()).toMatch(/^ +b +- +carts +- +-$/m);
    expect(table.stdout.toString()).toMatch(/^\* +a +n1:1,n2:1 +- +7 +-$/m);
    expect((await kv(["profile", "rm", "a"], { env })).exitCode).toBe(0);
    const json = await kv(["profile", "ls", "-o", "json"], { env });
    expect(JSON.parse(json.stdout.toString())).toEqual({
      profiles: [{ name: "b", current: false, settings: { bucket: "carts" } }],
    });
  });

  test("the file is its user's alone: 0600 in a folder of 0700", async () => {
    await kv(["profile", "save", "a", "-b", "x"], { env });
    await chmod(file, 0o644);
    await kv(["profile", "save", "b", "-b", "x"], { env });
    expect(((await stat(file)).mode & 0o777).toString(8)).toBe("600");
    expect(((await stat(join(home, "kv"))).mode & 0o777).toString(8)).toBe("700");
    expect(await readdir(join(home, "kv"))).toEqual(["profiles.json"]);
  });

  test("HOME stands in for XDG_CONFIG_HOME; without either there is a clear word", async () => {
    await kv(["profile", "save", "a", "-b", "x"], { env: { HOME: home, XDG_CONFIG_HOME: "rel" } });
    expect(await readdir(join(home, ".config", "kv"))).toEqual(["profiles.json"]);
    const nowhere = await kv(["profile", "save", "a", "-b", "x"]);
    expect(nowhere.exitCode).toBe(2);
    expect(nowhere.stderr).toContain("there is no place for profiles");
  });

  test("a link to a file elsewhere is followed, not replaced", async () => {
    await kv(["profile", "save", "a", "-b", "x"], { env });
    const linked = await mkdtemp(join(home, "linked-"));
    await mkdir(join(linked, "kv"));
    await symlink(file, join(linked, "kv", "profiles.json"));
    await kv(["profile", "save", "b", "-b", "y"], { env: { XDG_CONFIG_HOME: linked } });
    const { profiles } = parseProfiles(await readFile(file, "utf8"), file);
    expect([...profiles.keys()]).toEqual(["a", "b"]);
  });

  test.for([
    [["save", "none", "-b", "x"], "no profile can be named 'none'"],
    [["save", "a/b", "-b", "x"], "no profile can be named 'a/b'"],
    [["save", "a"], "nothing to save"],
    [["save", "a", "-e", "ftp://x"], "endpoint"],
    [["use", "a"], "no profile is named 'a'"],
    [["rm", "a"], "no profile is named 'a'"],
  ] as const)("%j: exit code 2 and no file", async ([argv, word]) => {
    const ran = await kv(["profile", ...argv], { env });
    expect(ran.exitCode).toBe(2);
    expect(ran.stderr).toContain(word);
    expect(await readdir(home, { recursive: true })).not.toContain("kv/profiles.json");
  });
});

describe("a damaged file of profiles", () => {
  test.for([
    ["", "JSON"],
    ['{"version":1,"profiles":{"a":{"bucket":"b"}}', "JSON"],
    ["[]", "where an object should be"],
    ['{"version":2,"profiles":{}}', "its version is not 1"],
    ['{"version":1,"profiles":{},"aliases":{}}', "'aliases' is unknown"],
    ['{"version":1,"current":"b","profiles":{}}', "'current' names none"],
    ['{"version":1,"profiles":{"a/b":{}}}', "no profile can be named 'a/b'"],
    ['{"version":1,"profiles":{"a":{"colour":"red"}}}', "'colour' of 'a' is unknown"],
    ['{"version":1,"profiles":{"a":{"timeout":"x"}}}', "'timeout' of 'a' is not a whole number"],
    ['{"version":1,"profiles":{"a":{"timeout":5}}}', "'timeout' of 'a' is not a whole number"],
  ] as const)("%s: exit code 2, the reason and the file; every byte stays", async ([text, why]) => {
    await mkdir(join(home, "kv"));
    await writeFile(file, text);
    const commands = [
      ["get", "k"],
      ["profile", "ls"],
      ["profile", "save", "b", "-b", "x"],
      ["profile", "use", "a"],
      ["profile", "rm", "a"],
    ];
    for (const argv of commands) {
      const ran = await kv(argv, { env });
      expect(ran.exitCode).toBe(2);
      expect(ran.stderr).toContain("the file of profiles is damaged: ");
      expect(ran.stderr).toContain(why);
      expect(ran.stderr).toContain(file);
    }
    expect(await readFile(file, "utf8")).toBe(text);
    expect(await readdir(join(home, "kv"))).toEqual(["profiles.json"]);
    expect((await kv(["config", "show", "--profile", "none"], { env })).exitCode).toBe(0);
  });

  test("what is written is what is read", () => {
    const profiles = {
      current: "b",
      profiles: new Map([
        ["a", new Map<SettingName, string>([["endpoints", "n1:1, n2:2"]])],
        ["b", new Map<SettingName, string>([["timeout", "5"]])],
      ]),
    };
    expect(parseProfiles(profilesText(profiles), "f")).toEqual(profiles);
  });
});

describe("a save that cannot be finished", () => {
  test("another writer's lock: exit code 2 and what to do; the file stays", async () => {
    await kv(["profile", "save", "a", "-b", "x"], { env });
    const before = await readFile(file, "utf8");
    await writeFile(`${file}.lock`, "half");
    const ran = await kv(["profile", "save", "b", "-b", "y"], { env });
    expect(ran.exitCode).toBe(2);
    expect(ran.stderr).toContain(`remove ${file}.lock and repeat this`);
    expect(await readFile(file, "utf8")).toBe(before);
    expect(await readFile(`${file}.lock`, "utf8")).toBe("half");
  });

  test("many at once: those that succeed are all kept", async () => {
    await kv(["profile", "save", "p0", "-b", "x"], { env });
    const names = Array.from({ length: 20 }, (_, at) => `p${at + 1}`);
    const ran = await Promise.all(
      names.map((name) => kv(["profile", "save", name, "-b", "x"], { env })),
    );
    const saved = names.filter((_, at) => ran[at]?.exitCode === 0);
    const { profiles } = parseProfiles(await readFile(file, "utf8"), file);
    expect([...profiles.keys()].toSorted()).toEqual(["p0", ...saved].toSorted());
    expect(saved.length).toBeGreaterThan(0);
  });

  test("a folder that is a file: exit code 2, the reason", async () => {
    await writeFile(join(home, "kv"), "");
    const ran = await kv(["profile", "save", "a", "-b", "x"], { env });
    expect(ran.exitCode).toBe(2);
    expect(ran.stderr).toContain(`cannot write '${file}'`);
  });
});
