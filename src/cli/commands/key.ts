import type { Command } from "commander";
import type { Settle } from "../settle.ts";
import type { Shell } from "../shell.ts";
import { addKeyInspect } from "./key-inspect.ts";
import { addKeyLocate } from "./key-locate.ts";
import { addKeyRepair } from "./key-repair.ts";

export function addKeyCommands(program: Command, shell: Shell, settle: Settle): void {
  const group = program
    .command("key")
    .summary("see where a key lives and what each replica holds")
    .description(
      "For operators: where a key lives, what each replica holds of it, and its repair.",
    );
  for (const add of [addKeyInspect, addKeyLocate, addKeyRepair]) add(group, shell, settle);
}
