import type { Command } from "commander";
import { CliError, EXIT } from "../exit-code.ts";
import { endpointsOf, openClient } from "../global-options.ts";
import type { GlobalFlags } from "../global-options.ts";
import { addBucketOptions } from "../key-options.ts";
import { givenFlags } from "../settings/apply.ts";
import type { Env } from "../settings/effective.ts";
import { NO_PROFILE, ProfileFile, profileOf } from "../settings/profile-file.ts";
import { isProfileName } from "../settings/profiles.ts";
import { SETTING_NAMES } from "../settings/table.ts";
import type { KvCommand } from "../kv-command.ts";
import type { Settle } from "../settle.ts";
import type { Shell } from "../shell.ts";

export function addProfileCommands(program: KvCommand, shell: Shell, settle: Settle): void {
  const group = program
    .command("profile")
    .summary("keep settings under a name")
    .description(
      "Keeps settings under a name, in $XDG_CONFIG_HOME/kv/profiles.json (~/.config if that is not " +
        "set). `--profile NAME` or KV_PROFILE=NAME use them for a command, `kv profile use` for all.",
    )
    .examples(
      "kv profile save staging -e http://n1:7080,http://n2:7080",
      "kv profile use staging",
      "kv profile ls",
    );
  addSave(group, shell, settle);
  addUse(group, shell, settle);
  addList(group, shell, settle);
  addRemove(group, shell, settle);
}

function addSave(group: KvCommand, { env }: Shell, settle: Settle): void {
  const command = group
    .command("save <NAME>")
    .summary("keep the given flags under a name")
    .description("Keeps the flags that are given here under a name; a profile of that name goes.");
  addBucketOptions(command).examples(
    "kv profile save staging -e http://n1:7080,http://n2:7080 --timeout 3000",
    "kv profile save carts -b carts -o json",
  );
  command.action(
    settle(async (output, name: string, _flags: unknown, self: Command) => {
      if (!isProfileName(name) || name === NO_PROFILE) {
        throw new CliError(
          EXIT.usage,
          `no profile can be named '${name}'`,
          `Letters, digits and . _ - make a name, except '${NO_PROFILE}'.`,
        );
      }
      const given = givenFlags(self);
      if (given.size === 0) {
        throw new CliError(EXIT.usage, "nothing to save", "Give -e, -b, --timeout or -o.");
      }
      // The client judges them; a profile that no command can use helps nobody.
      await using _client = await openClient({
        endpoints: endpointsOf(self.optsWithGlobals<GlobalFlags>()),
      });
      const texts = new Map([...given].map(([setting, value]) => [setting, String(value)]));
      const file = fileOf(env);
      await file.change(({ current, profiles }) => ({
        current,
        profiles: new Map([...profiles, [name, texts]]),
      }));
      await output.note(`saved in ${file.path}; \`kv profile use ${name}\` makes it count`);
      return EXIT.ok;
    }),
  );
}

function addUse(group: KvCommand, { env }: Shell, settle: Settle): void {
  group
    .command("use <NAME>")
    .summary("let a profile count for all commands")
    .description(
      `Lets a profile count for every command that names no other; '${NO_PROFILE}' ends that.`,
    )
    .examples("kv profile use staging", "kv profile use none         # as without profiles")
    .action(
      settle(async (output, name: string) => {
        await fileOf(env).change(({ profiles }) => {
          if (name === NO_PROFILE) return { current: undefined, profiles };
          profileOf(profiles, name);
          return { current: name, profiles };
        });
        await output.note(name === NO_PROFILE ? "no profile counts now" : `${name} counts now`);
        return EXIT.ok;
      }),
    );
}

function addList(group: KvCommand, { env }: Shell, settle: Settle): void {
  group
    .command("ls")
    .summary("list the profiles")
    .description("Lists the profiles and what each sets; * marks the one in use.")
    .examples("kv profile ls", "kv profile ls -o jsonl")
    .action(
      settle(async (output) => {
        const { current, profiles } = await fileOf(env).read();
        const list = [...profiles].map(([name, texts]) => ({
          name,
          current: name === current,
          settings: Object.fromEntries(texts),
        }));
        if (output.format === "json") await output.json({ profiles: list });
        else if (output.format === "jsonl") for (const one of list) await output.json(one);
        else {
          const head = ["", "PROFILE", ...SETTING_NAMES.map((name) => name.toUpperCase())];
          const rows = [...profiles].map(([name, texts]) => [
            name === current ? "*" : "",
            name,
            ...SETTING_NAMES.map((setting) => texts.get(setting) ?? "-"),
          ]);
          await output.table(head, rows);
        }
        return EXIT.ok;
      }),
    );
}

function addRemove(group: KvCommand, { env }: Shell, settle: Settle): void {
  group
    .command("rm <NAME>")
    .summary("remove a profile")
    .description("Removes a profile. If it was in use, none is afterwards.")
    .examples("kv profile rm staging")
    .action(
      settle(async (output, name: string) => {
        await fileOf(env).change(({ current, profiles }) => {
          profileOf(profiles, name);
          const left = new Map([...profiles].filter(([other]) => other !== name));
          return { current: current === name ? undefined : current, profiles: left };
        });
        await output.note(`removed the profile ${name}`);
        return EXIT.ok;
      }),
    );
}

function fileOf(env: Env): ProfileFile {
  const file = ProfileFile.of(env);
  if (file !== undefined) return file;
  throw new CliError(
    EXIT.usage,
    "there is no place for profiles",
    "Set HOME or XDG_CONFIG_HOME to a folder of yours.",
  );
}
