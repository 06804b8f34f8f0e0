import process from "node:process";
import type { Command } from "commander";
import { VERSION } from "../../core/build.ts";
import { EXIT } from "../exit-code.ts";
import type { Settle } from "../settle.ts";

export function addVersion(program: Command, settle: Settle): void {
  program
    .command("version")
    .summary("print the version")
    .description("Prints the version of this program. `kv status` prints those of the nodes.")
    .addHelpText("after", "\nExample:\n  kv version -o json")
    .action(
      settle(async (output) => {
        const node = process.version;
        if (output.format === "table") await output.data(`kv ${VERSION} (Node.js ${node})\n`);
        else await output.json({ version: VERSION, node });
        return EXIT.ok;
      }),
    );
}
