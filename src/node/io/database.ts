import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { KvError } from "../../core/errors.ts";
import { storageErrorKind } from "../../ports/storage.ts";
import type { Storage } from "../../ports/storage.ts";
import type { Telemetry } from "../../ports/telemetry.ts";
import { endedCompacting } from "./compaction-log.ts";
import { DatabaseParts } from "./database-parts.ts";
import { diesCompacting } from "./level-child.ts";
import { LevelStorage } from "./level-storage.ts";

/** Where LevelDB lives within the data directory. */
const DATABASE = "db";
/** Stands beside it when it must be salvaged before it may be used. */
const MARKER = "salvage";
/** The damaged database while it is being salvaged, and the new one until it is whole. */
const DAMAGED = "db.damaged";
const UNFINISHED = "db.salvaging";
/** The damaged one taken apart, while it is being salvaged so. */
const PARTS = "db.parts";
/** What the marker says of a database that LevelDB must not be let near as a whole. */
const IN_PARTS = "in parts";
/** Damaged databases are kept, as `db.damaged-1` and so on; one more than these is not set aside. */
const KEPT_MAX = 8;

export interface DatabaseOptions {
  readonly data: string;
  /** Salvage it even if it opens, and although it may not say whose it is. */
  readonly salvage: boolean;
}

export interface DatabaseModules {
  /** Whether a database is this node's, as far as it says. @throws KvError `directory-refused` */
  readonly ownership: (storage: Storage) => Promise<"own" | "unknown">;
  /** Copies what is sound. @returns what it came to, for the log. */
  readonly rescue: (parts: { from: Storage; to: Storage }) => Promise<object>;
  readonly telemetry: Telemetry;
}

/**
 * Opens the database of a data directory. One that is damaged is salvaged: what can be read of it is
 * copied into a new one, and it is set aside, never deleted. A start that is interrupted is taken up
 * by the next one:
 *
 *     db → db.damaged │ copy to db.salvaging │ no marker │ db.salvaging → db │ db.damaged → db.damaged-N
 *
 * @throws KvError `directory-in-use`, `directory-damaged`, `directory-refused`
 */
export async function openDatabase(
  options: DatabaseOptions,
  modules: DatabaseModules,
): Promise<LevelStorage> {
  const { data } = options;
  const { telemetry } = modules;
  await mkdir(data, { recursive: true });
  if ((await exists(join(data, DAMAGED))) && (await exists(join(data, DATABASE)))) {
    await keepDamaged(data);
  }
  if (!(await exists(join(data, DAMAGED)))) {
    const path = join(data, DATABASE);
    if ((await endedCompacting(path)) && (await diesCompacting(path))) {
      telemetry.log.error({}, "LevelDB aborts on this database; it is being salvaged in parts");
      await markForSalvage(data, IN_PARTS);
    }
    if ((await markOf(data)) !== IN_PARTS) {
      // Also where it is known to be damaged: opening finds out whether another process uses it.
      const opened = await openOrDamaged(path);
      const isWanted = options.salvage || (await markOf(data)) !== undefined;
      if (opened instanceof LevelStorage && !isWanted) return opened;
      if (opened instanceof LevelStorage) await opened.close();
      else telemetry.log.error({ err: opened }, "the database is damaged; it is being salvaged");
    }
    await refuseIfCrowded(data);
    await rename(path, join(data, DAMAGED));
    await syncFolder(data);
  }
  const count = await salvage(options, modules);
  await rm(join(data, MARKER), { force: true });
  await rename(join(data, UNFINISHED), join(data, DATABASE));
  const setAside = await keepDamaged(data);
  telemetry.log.warn({ ...count, setAside }, "the database was salvaged");
  return LevelStorage.open(join(data, DATABASE));
}

/** The next start will salvage the database before it uses it. */
export async function markForSalvage(data: string, how = ""): Promise<void> {
  await writeFile(join(data, MARKER), how, { flush: true });
  await syncFolder(data);
}

/** @returns undefined when there is no marker. */
async function markOf(data: string): Promise<string | undefined> {
  const path = join(data, MARKER);
  return (await exists(path)) ? readFile(path, "utf8") : undefined;
}

/** Makes the new database. When that fails the damaged one gets its name back. */
async function salvage(options: DatabaseOptions, modules: DatabaseModules): Promise<object> {
  const { data } = options;
  await rm(join(data, UNFINISHED), { recursive: true, force: true });
  try {
    const isInParts = (await markOf(data)) === IN_PARTS;
    return await (isInParts ? salvageParts(options, modules) : salvageWhole(options, modules));
  } catch (error) {
    await rename(join(data, DAMAGED), join(data, DATABASE));
    throw error;
  }
}

async function salvageWhole(
  { data, salvage: isVouchedFor }: DatabaseOptions,
  { ownership, rescue }: DatabaseModules,
): Promise<object> {
  const from = await openAnyhow(join(data, DAMAGED));
  try {
    // Records of another cluster must not be merged into this one.
    if ((await ownership(from)) === "unknown" && !isVouchedFor) throw ownerless(data);
    return await withNew(join(data, UNFINISHED), (to) => rescue({ from, to }));
  } finally {
    await from.close();
  }
}

/** A key may stand in several parts, an older version of it too: what is rescued is merged. */
async function salvageParts(
  { data, salvage: isVouchedFor }: DatabaseOptions,
  { ownership, rescue }: DatabaseModules,
): Promise<object> {
  const parts = await DatabaseParts.take(join(data, DAMAGED), join(data, PARTS));
  try {
    let isOwn = isVouchedFor;
    await parts.forEach(async (part) => {
      if ((await ownership(part)) === "own") isOwn = true;
    });
    if (!isOwn) throw ownerless(data);
    const counts: object[] = [];
    await withNew(join(data, UNFINISHED), (to) =>
      parts.forEach(async (from) => void counts.push(await rescue({ from, to }))),
    );
    return { parts: counts, lost: parts.lost };
  } finally {
    await parts.remove();
  }
}

async function withNew<T>(path: string, use: (storage: Storage) => Promise<T>): Promise<T> {
  const storage = await LevelStorage.open(path);
  try {
    return await use(storage);
  } finally {
    await storage.close();
  }
}

async function openAnyhow(path: string): Promise<LevelStorage> {
  const opened = await openOrDamaged(path);
  if (opened instanceof LevelStorage) return opened;
  await LevelStorage.repair(path);
  return LevelStorage.open(path);
}

async function openOrDamaged(path: string): Promise<LevelStorage | KvError> {
  try {
    return await LevelStorage.open(path);
  } catch (error) {
    // A disk that fails is not helped by copying.
    const isDamage = error instanceof KvError && storageErrorKind(error.cause) === "corruption";
    if (isDamage) return error;
    throw error;
  }
}

function ownerless(data: string): KvError {
  return new KvError(
    "directory-damaged",
    `${data}: the damaged database does not say whose it is; if it is this node's, start once with --salvage true`,
  );
}

async function refuseIfCrowded(data: string): Promise<void> {
  const kept = await damagedNumbers(data);
  if (kept.length < KEPT_MAX) return;
  throw new KvError(
    "directory-damaged",
    `${data}: ${kept.length} damaged databases are kept already; remove those that nobody will examine (${DAMAGED}-…)`,
  );
}

async function keepDamaged(data: string): Promise<string> {
  const name = `${DAMAGED}-${Math.max(0, ...(await damagedNumbers(data))) + 1}`;
  await rename(join(data, DAMAGED), join(data, name));
  await syncFolder(data);
  return name;
}

async function damagedNumbers(data: string): Promise<readonly number[]> {
  const names = await readdir(data);
  const numbers = names.map((name) => /^db\.damaged-(\d{1,6})$/.exec(name)?.[1]);
  return numbers.filter((digits) => digits !== undefined).map(Number);
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    throw error;
  }
}

/** A rename is on the disk when its folder is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
