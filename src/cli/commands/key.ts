import type { KvCommand } from "../kv-command.ts";
import type { Settle } from "../settle.ts";
import type { Shell } from "../shell.ts";
import { addKeyInspect } from "./key-inspect.ts";
import { addKeyLocate } from "./key-locate.ts";
import { addKeyRepair } from "./key-repair.ts";

export function addKeyCommands(program: KvCommand, shell: Shell, settle: Settle): void {
  const group = program
    .command("key")
    .summary("see where a key lives and what each replica holds")
    .description("For operators: where a key lives, what each replica holds of it, and its repair.")
    .examples("kv key inspect greeting", "kv key locate greeting", "kv key repair greeting");
  for (const add of [addKeyInspect, addKeyLocate, addKeyRepair]) add(group, shell, settle);
}
