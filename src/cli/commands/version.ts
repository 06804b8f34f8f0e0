import process from "node:process";
import { VERSION } from "../../core/build.ts";
import { EXIT } from "../exit-code.ts";
import type { KvCommand } from "../kv-command.ts";
import type { Settle } from "../settle.ts";
import type { Shell } from "../shell.ts";

export function addVersion(program: KvCommand, _shell: Shell, settle: Settle): void {
  program
    .command("version")
    .summary("print the version")
    .description("Prints the version of this program. `kv status` prints those of the nodes.")
    .examples("kv version", "kv version -o json")
    .action(
      settle(async (output) => {
        const node = process.version;
        if (output.format === "table") await output.data(`kv ${VERSION} (Node.js ${node})\n`);
        else await output.json({ version: VERSION, node });
        return EXIT.ok;
      }),
    );
}
