import { execFile, spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startCluster } from "../support/cluster.ts";
import type { Cluster } from "../support/cluster.ts";

const ROOT = join(import.meta.dirname, "../..");
const run = promisify(execFile);
const readme = await readFile(join(ROOT, "README.md"), "utf8");
const examples = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = ""]) => code);

/** What an example says that it prints, a line each. */
function promised(code: string): readonly string[] {
  return [...code.matchAll(/\/\/ → (.*)$/gm)].map(([, line = ""]) => line);
}

/** What the compiler has against them. */
function compiled(folder: string): string {
  const { stdout } = spawnSync("npx", ["tsc", "-p", folder], { cwd: ROOT, encoding: "utf8" });
  return stdout;
}

describe("the README's TypeScript", () => {
  let cluster: Cluster;
  let folder = "";
  beforeAll(async () => {
    cluster = await startCluster({ nodes: 3 });
    // Within the project, where `quorate` names the built client as it does for its users.
    folder = await mkdtemp(join(ROOT, "dist", "examples-"));
    await Promise.all(
      examples.map((code, i) => {
        const here = code.replaceAll(
          /http:\/\/127\.0\.0\.1:708(\d)/g,
          (_, node: string) => cluster.urls[Number(node)] ?? "",
        );
        return writeFile(join(folder, `example-${i}.ts`), here);
      }),
    );
    const config = {
      extends: join(ROOT, "tsconfig.json"),
      compilerOptions: {
        noEmit: false,
        outDir: folder,
        rootDir: folder,
        allowImportingTsExtensions: false,
      },
      include: [join(folder, "*.ts")],
      exclude: [],
    };
    await writeFile(join(folder, "tsconfig.json"), JSON.stringify(config));
    const problems = compiled(folder);
    if (problems !== "") throw new Error(problems);
  });
  afterAll(async () => {
    await cluster.stop();
    await rm(folder, { recursive: true });
  });

  test.each(examples.map((code, i) => [i + 1, promised(code)] as const))(
    "example %i compiles and prints %j",
    async (number, lines) => {
      const { stdout } = await run(process.execPath, [join(folder, `example-${number - 1}.js`)]);
      expect(stdout.trimEnd().split("\n")).toEqual(lines);
    },
  );
});
