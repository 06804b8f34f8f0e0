import type { Command } from "commander";
import type { GlobalFlags } from "../global-options.ts";
import { effectiveSettings } from "./effective.ts";
import type { Effective, Env, Profile } from "./effective.ts";
import { chosenProfile } from "./profile-file.ts";
import { SETTING_NAMES } from "./table.ts";
import type { SettingName } from "./table.ts";

/** Commands that ask no node, and those that mend the file of profiles, go on without it. */
const WITHOUT_PROFILE = new Set(["serve", "dev", "version", "profile", "completion"]);

/** Gives every option that the command line leaves open the value of a variable or of the profile. */
export async function applySettings(command: Command, env: Env): Promise<void> {
  const chain = chainOf(command);
  const needsProfile = !chain.some((one) => WITHOUT_PROFILE.has(one.name()));
  const profile = needsProfile ? await profileFor(command, env) : undefined;
  const flags = givenFlags(command);
  for (const { name, value, origin } of effectiveSettings({ flags, env, profile })) {
    if (origin === "flag" || value === null) continue;
    const owner = chain.find(({ options }) => options.some((one) => one.attributeName() === name));
    owner?.setOptionValueWithSource(name, value, origin);
  }
}

/** What the settings are for this command line, and the profile that counts. */
export async function settingsOf(
  command: Command,
  env: Env,
): Promise<{ profile: Profile | undefined; settings: readonly Effective[] }> {
  const profile = await profileFor(command, env);
  const settings = effectiveSettings({ flags: givenFlags(command), env, profile });
  return { profile, settings };
}

export function givenFlags(command: Command): ReadonlyMap<SettingName, string | number> {
  const values = new Map(Object.entries(command.optsWithGlobals()));
  return new Map(
    SETTING_NAMES.flatMap((name): [SettingName, string | number][] => {
      const value: unknown = values.get(name);
      if (command.getOptionValueSourceWithGlobals(name) !== "cli") return [];
      return typeof value === "string" || typeof value === "number" ? [[name, value]] : [];
    }),
  );
}

function profileFor(command: Command, env: Env): Promise<Profile | undefined> {
  return chosenProfile(command.optsWithGlobals<GlobalFlags>().profile, env);
}

function chainOf(command: Command): readonly Command[] {
  const { parent } = command;
  return parent === null ? [command] : [command, ...chainOf(parent)];
}
