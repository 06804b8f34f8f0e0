import type { Command } from "commander";
import { EXIT } from "../exit-code.ts";
import { addBucketOptions } from "../key-options.ts";
import type { Output } from "../output.ts";
import { settingsOf } from "../settings/apply.ts";
import type { Effective, Profile } from "../settings/effective.ts";
import { SETTINGS } from "../settings/table.ts";
import type { KvCommand } from "../kv-command.ts";
import type { Settle } from "../settle.ts";
import type { Shell } from "../shell.ts";

export function addConfigCommands(program: KvCommand, shell: Shell, settle: Settle): void {
  const group = program
    .command("config")
    .summary("see which settings count, and why")
    .description("The settings that commands go by. `kv help serve` lists those of a node.")
    .examples("kv config show --origin");
  const command = group
    .command("show")
    .summary("the settings that count, and where each comes from")
    .description(
      "Prints what commands with the same flags would go by: a flag wins over a variable, a variable " +
        "over the profile, the profile over the default.",
    )
    .option("--origin", "print also which flag, variable or profile each comes from");
  addBucketOptions(command).examples(
    "kv config show",
    "kv config show --origin                     # and where each comes from",
    "kv config show --profile staging -o json",
  );
  command.action(
    settle(async (output, _flags: unknown, self: Command) => {
      const { origin } = self.opts<{ origin?: boolean }>();
      const { profile, settings } = await settingsOf(self, shell.env);
      await print(output, { profile, settings, withOrigin: origin === true });
      return EXIT.ok;
    }),
  );
}

async function print(
  output: Output,
  {
    profile,
    settings,
    withOrigin,
  }: { profile: Profile | undefined; settings: readonly Effective[]; withOrigin: boolean },
): Promise<void> {
  if (output.format === "json") {
    const named = settings.map(({ name, ...rest }) => [name, rest]);
    await output.json({
      profile: profile === undefined ? null : { name: profile.name, file: profile.file },
      settings: Object.fromEntries(named),
    });
    return;
  }
  if (output.format === "jsonl") {
    for (const one of settings) await output.json(one);
    return;
  }
  const rows = settings.map(({ name, value, origin, from }) => {
    const cells = [name, value === null ? "the command's own" : String(value)];
    return [...cells, ...(withOrigin ? [from ?? origin] : []), SETTINGS[name].doc];
  });
  await output.table(["SETTING", "VALUE", ...(withOrigin ? ["FROM"] : []), ""], rows);
  if (profile !== undefined) await output.note(`profile ${profile.name} is in ${profile.file}`);
}
