import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { needs, needsFeature } from "../../support/needs.ts";
import { run } from "../../support/run.ts";
import { waitFor } from "../../support/real-kv.ts";

/** Both ways of strace, silent; the node stays this process's own child. */
const STRACE = ["-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync"] as const;

export function needsFsyncFaults(): boolean {
  return needs("strace") && needsFeature("leave to trace processes", () => run("strace", "true"));
}

/** Of a node whose `nth` fsyncs fail: strace counts per thread, so its storage must have one only. */
export const ONE_STORAGE_THREAD = { UV_THREADPOOL_SIZE: "1" } as const;

/** Command before `node`: each of its fsyncs takes this much longer. */
export function slowFsync({ delayMs }: { delayMs: number }): readonly string[] {
  const inject = `inject=fdatasync:delay_exit=${delayMs * 1000}`;
  // Only fsyncs stop at the tracer, and it is the tracer that is the stranger, not the node.
  return ["strace", "-D", "--seccomp-bpf", ...STRACE, "-e", inject];
}

/** Of a running node, the `nth` fsync of its storage thread from now on fails; ends with the node. */
export async function failFsync(pid: number, { nth }: { nth: number }): Promise<AsyncDisposable> {
  const inject = `inject=fdatasync:error=EIO:when=${nth}`;
  const tracer = spawn("strace", [...STRACE, "-e", inject, "-p", String(pid)], { stdio: "ignore" });
  const ended = once(tracer, "exit");
  await waitFor(`strace at all threads of ${pid}`, () => (isTraced(pid) ? true : undefined));
  return {
    async [Symbol.asyncDispose]() {
      tracer.kill("SIGKILL");
      await ended;
    },
  };
}

function isTraced(pid: number): boolean {
  return readdirSync(`/proc/${pid}/task`).every((thread) => {
    const status = readFileSync(`/proc/${pid}/task/${thread}/status`, "utf8");
    return !status.includes("TracerPid:\t0\n");
  });
}
