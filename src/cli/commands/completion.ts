import { Argument } from "commander";
import { bashScript } from "../completion/bash.ts";
import { fishScript } from "../completion/fish.ts";
import { specOf } from "../completion/spec.ts";
import { zshScript } from "../completion/zsh.ts";
import { EXIT } from "../exit-code.ts";
import type { KvCommand } from "../kv-command.ts";
import type { Settle } from "../settle.ts";
import type { Shell } from "../shell.ts";

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;
type ShellName = keyof typeof SCRIPTS;

export function addCompletion(program: KvCommand, _shell: Shell, settle: Settle): void {
  program
    .command("completion")
    .addArgument(new Argument("<SHELL>", "your shell").choices(Object.keys(SCRIPTS)))
    .summary("print a script that completes kv's words in a shell")
    .description(
      "Prints a script that lets a shell complete commands, options and their values at a press of Tab. " +
        "kv must be on PATH.",
    )
    .examples(
      "source <(kv completion bash)                                 # or in ~/.bashrc",
      "source <(kv completion zsh)                                  # in ~/.zshrc, after compinit",
      "kv completion fish > ~/.config/fish/completions/kv.fish",
    )
    .action(
      settle(async (output, shell: ShellName) => {
        await output.data(SCRIPTS[shell](specOf(program)));
        return EXIT.ok;
      }),
    );
}
