import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { stringify } from "yaml";
import { OWNER_VARIABLE } from "./cluster-node.ts";
import { freePorts } from "./free-ports.ts";
import { waitFor } from "./real-kv.ts";

export interface PrometheusOptions {
  /** `host:port` of each node. */
  readonly targets: readonly string[];
  readonly ruleFiles: readonly string[];
}

/** One series of an instant query's answer. */
interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

export interface Prometheus extends AsyncDisposable {
  query(expr: string): Promise<readonly Sample[]>;
}

/** Debian's Prometheus, which scrapes the nodes and evaluates the rules every second. */
export async function startPrometheus(options: PrometheusOptions): Promise<Prometheus> {
  const folder = await mkdtemp(join(tmpdir(), "quorate-prometheus-"));
  const [port] = await freePorts(1);
  const config = {
    global: { scrape_interval: "1s", evaluation_interval: "1s" },
    rule_files: options.ruleFiles,
    scrape_configs: [{ job_name: "quorate", static_configs: [{ targets: options.targets }] }],
  };
  await writeFile(join(folder, "prometheus.yml"), stringify(config));
  const child = spawn(
    "prometheus",
    [
      `--config.file=${join(folder, "prometheus.yml")}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, [OWNER_VARIABLE]: String(process.pid) },
    },
  );
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  let words = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (words += text));
  const ended = once(child, "close");
  const stop = async (): Promise<void> => {
    kill();
    await ended;
    process.off("exit", kill);
    await rm(folder, { recursive: true, force: true });
  };
  const url = `http://127.0.0.1:${port}`;
  try {
    await waitFor("Prometheus to be ready", async () => {
      if (child.exitCode !== null) throw new Error(`Prometheus ended: ${words}`);
      const response = await fetch(`${url}/-/ready`).catch(() => undefined);
      await response?.arrayBuffer();
      return response?.ok === true ? true : undefined;
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    async query(expr) {
      const response = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(expr)}`);
      const answer = (await response.json()) as {
        readonly error?: string;
        readonly data?: { readonly result: readonly Sample[] };
      };
      if (answer.data === undefined) throw new Error(`${expr}: ${answer.error}`);
      return answer.data.result;
    },
    [Symbol.asyncDispose]: stop,
  };
}
