import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { OWNER_VARIABLE } from "../support/cluster-node.ts";
import { removeDiskFolder, setup } from "../support/leftovers.ts";
import { run } from "../support/run.ts";
import { needsNetwork } from "./nemesis/network.ts";
import { needsSmallDisks } from "./nemesis/small-disk.ts";

describe.skipIf(!needsSmallDisks() || !needsNetwork())("the sweep before a run", () => {
  test("ends the processes, mounts and networks of a test process that is dead, and no others", async () => {
    const dead = spawnSync("true").pid;
    const mountOf = (owner: number): string => {
      const path = join(tmpdir(), `quorate-disk-${owner}-leftover`, "mounted");
      mkdirSync(path, { recursive: true });
      run("mount", "-t", "tmpfs", "quorate-test", path);
      return path;
    };
    const nodeOf = (owner: number) =>
      spawn("sleep", ["60"], { env: { ...process.env, [OWNER_VARIABLE]: String(owner) } });
    const [left, mine] = [mountOf(dead), mountOf(process.pid)];
    const [orphan, child] = [nodeOf(dead), nodeOf(process.pid)];
    const ended = once(orphan, "exit");
    run("ip", "netns", "add", `qt${dead}-n1`);
    run("ip", "link", "add", `qt${dead}`, "type", "bridge");

    setup();

    expect(await ended).toEqual([null, "SIGKILL"]);
    expect(existsSync(left)).toBe(false);
    expect(run("ip", "-o", "link", "show")).not.toContain(`qt${dead}:`);
    expect(run("ip", "netns", "list")).not.toContain(`qt${dead}-n1`);
    expect(existsSync(mine)).toBe(true);
    expect(child.kill()).toBe(true);
    removeDiskFolder(dirname(mine));
  });
});
