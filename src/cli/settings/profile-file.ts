import { mkdir, open, readFile, realpath, rename, rm } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import { CliError, EXIT } from "../exit-code.ts";
import { fileError, hasCode } from "../files.ts";
import type { Env, Profile } from "./effective.ts";
import { parseProfiles, profilesText } from "./profiles.ts";
import type { Profiles } from "./profiles.ts";

/** The file of a user's profiles. Nothing of it is ever lost: a damaged one is never written over. */
export class ProfileFile {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** @returns undefined where a user has no folder of his own. */
  static of(env: Env): ProfileFile | undefined {
    const home = env["HOME"] ?? "";
    const config = env["XDG_CONFIG_HOME"] ?? "";
    // The specification says that a relative path is to be ignored.
    if (isAbsolute(config)) return new ProfileFile(join(config, "kv", "profiles.json"));
    return isAbsolute(home)
      ? new ProfileFile(join(home, ".config", "kv", "profiles.json"))
      : undefined;
  }

  async read(): Promise<Profiles> {
    try {
      return parseProfiles(await readFile(this.path, "utf8"), this.path);
    } catch (error) {
      // Also where a part of the path is a file: then there is none, and a write will say why.
      if (hasCode(error, "ENOENT") || hasCode(error, "ENOTDIR")) {
        return { current: undefined, profiles: new Map() };
      }
      throw error instanceof CliError ? error : fileError("read", this.path, error);
    }
  }

  /**
   * The new file is written beside the old one and takes its name when it is complete. Its name
   * tells other writers to keep away meanwhile, so that two saves at once lose neither.
   */
  async change(change: (profiles: Profiles) => Profiles): Promise<void> {
    const target = await this.#target();
    const draft = `${target}.lock`;
    const handle = await this.#lock(draft);
    try {
      await handle.writeFile(profilesText(change(await this.read())));
      await handle.sync();
      await handle.close();
      await rename(draft, target);
    } catch (error) {
      await handle.close();
      await rm(draft, { force: true });
      throw error instanceof CliError ? error : fileError("write", this.path, error);
    }
  }

  /** A link is followed, not replaced: some keep their settings elsewhere. */
  async #target(): Promise<string> {
    try {
      return await realpath(this.path);
    } catch (error) {
      if (hasCode(error, "ENOENT")) return this.path;
      throw fileError("write", this.path, error);
    }
  }

  async #lock(draft: string) {
    try {
      await mkdir(dirname(draft), { recursive: true, mode: 0o700 });
      return await open(draft, "wx", 0o600);
    } catch (error) {
      if (!hasCode(error, "EEXIST")) throw fileError("write", this.path, error);
      throw new CliError(
        EXIT.usage,
        `another kv changes the profiles now, or was killed while it did`,
        `If none does, remove ${draft} and repeat this.`,
      );
    }
  }
}

/** A profile of this name means none, and that the file is not even read. */
export const NO_PROFILE = "none";

/** Flag over variable over the one that `kv profile use` has set. */
export async function chosenProfile(
  given: string | undefined,
  env: Env,
): Promise<Profile | undefined> {
  const variable = env["KV_PROFILE"] ?? "";
  const asked = given ?? (variable === "" ? undefined : variable);
  if (asked === NO_PROFILE) return undefined;
  const file = ProfileFile.of(env);
  const { current, profiles } = (await file?.read()) ?? { current: undefined, profiles: new Map() };
  const name = asked ?? current;
  if (name === undefined) return undefined;
  return { name, file: file?.path ?? "", texts: profileOf(profiles, name) };
}

/** @throws with the names that there are. */
export function profileOf(profiles: Profiles["profiles"], name: string) {
  const texts = profiles.get(name);
  if (texts !== undefined) return texts;
  const names = [...profiles.keys()];
  const known = names.length === 0 ? "there is none yet" : `there is ${names.join(", ")}`;
  throw new CliError(
    EXIT.usage,
    `no profile is named '${name}'; ${known}`,
    `\`kv profile save ${name} -e URL\` makes one.`,
  );
}
