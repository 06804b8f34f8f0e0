import type { Command } from "commander";
import { PROPERTIES } from "../../core/bucket-properties.ts";
import type { Bucket, BucketExpectation, BucketGiven } from "../../client/client.ts";
import { CliError, EXIT } from "../exit-code.ts";
import { endpointsOf, openClient } from "../global-options.ts";
import type { GlobalFlags } from "../global-options.ts";
import { wholeNumber } from "../key-options.ts";
import type { Output } from "../output.ts";
import type { KvCommand } from "../kv-command.ts";
import type { Settle } from "../settle.ts";
import type { Shell } from "../shell.ts";

type Name = keyof typeof PROPERTIES;
const NAMES = Object.keys(PROPERTIES) as readonly Name[];

interface BucketFlags extends GlobalFlags, Partial<Record<Name, string>> {
  readonly timeout?: number;
}

export function addBucketCommands(program: KvCommand, shell: Shell, settle: Settle): void {
  const group = program
    .command("bucket")
    .summary("create, list, change and remove buckets")
    .description(
      "For operators: buckets and their properties. A change needs every member of the cluster; one " +
        "that failed half-way is completed by the same command.",
    )
    .examples("kv bucket create carts --mode siblings", "kv bucket ls");
  addPut(group, "create", shell, settle);
  addList(group, shell, settle);
  addShow(group, shell, settle);
  addPut(group, "set", shell, settle);
  addRemove(group, shell, settle);
}

function addPut(group: KvCommand, verb: "create" | "set", shell: Shell, settle: Settle): void {
  const isNew = verb === "create";
  const command = group
    .command(`${verb} <NAME>`)
    .summary(isNew ? "create a bucket" : "change properties of a bucket")
    .description(
      isNew
        ? "Creates a bucket. What is not given is as in the bucket 'default'; mode and n never change."
        : "Changes the properties that are given.",
    );
  for (const name of NAMES.filter((one) => isNew || !PROPERTIES[one].fixed)) {
    command.option(`--${dashed(name)} <VALUE>`, PROPERTIES[name].doc);
  }
  addTimeout(command).examples(...(isNew ? CREATE_EXAMPLES : SET_EXAMPLES));
  command.action(
    settle(async (output, name: string, _flags: unknown, self: Command) => {
      const flags = self.optsWithGlobals<BucketFlags>();
      const given = givenBy(flags);
      if (!isNew && Object.keys(given).length === 0) {
        throw new CliError(EXIT.usage, "nothing to change", "`--help` names the properties.");
      }
      await using client = await openClient({ endpoints: endpointsOf(flags) });
      const expect: BucketExpectation = isNew ? "absent" : "present";
      const options = { expect, timeoutMs: flags.timeout, signal: shell.signal };
      const bucket = await client.putBucket(name, given, options);
      await output.note(`every member has the bucket '${name}'`);
      await show(output, bucket);
      return EXIT.ok;
    }),
  );
}

function addList(group: KvCommand, shell: Shell, settle: Settle): void {
  const command = group
    .command("ls")
    .summary("list all buckets")
    .description("Lists all buckets.")
    .examples("kv bucket ls", "kv bucket ls -o jsonl              # a line of JSON a bucket");
  addTimeout(command);
  command.action(
    settle(async (output, _flags: unknown, self: Command) => {
      const flags = self.optsWithGlobals<BucketFlags>();
      await using client = await openClient({ endpoints: endpointsOf(flags) });
      const list = await client.buckets({ timeoutMs: flags.timeout, signal: shell.signal });
      if (output.format === "json") await output.json(list);
      else if (output.format === "jsonl") for (const one of list.buckets) await output.json(one);
      else await output.table(HEAD, list.buckets.map(row));
      return EXIT.ok;
    }),
  );
}

function addShow(group: KvCommand, shell: Shell, settle: Settle): void {
  const command = group
    .command("show <NAME>")
    .summary("all properties of a bucket")
    .description("Prints all properties of a bucket. Exit code 3: there is no such bucket.")
    .examples("kv bucket show default", "kv bucket show carts -o json");
  addTimeout(command);
  command.action(
    settle(async (output, name: string, _flags: unknown, self: Command) => {
      const flags = self.optsWithGlobals<BucketFlags>();
      await using client = await openClient({ endpoints: endpointsOf(flags) });
      const options = { timeoutMs: flags.timeout, signal: shell.signal };
      await show(output, await client.bucket(name, options));
      return EXIT.ok;
    }),
  );
}

function addRemove(group: KvCommand, shell: Shell, settle: Settle): void {
  const command = group
    .command("rm <NAME>")
    .summary("remove a bucket and all its keys, for good")
    .description(
      "Removes a bucket with all its keys, for good: the name is not used again, because replicas " +
        "that were away still hold what it held.",
    )
    .option("--yes", "do it: there is no way back")
    .examples("kv bucket rm sessions --yes");
  addTimeout(command);
  command.action(
    settle(async (output, name: string, _flags: unknown, self: Command) => {
      const flags = self.optsWithGlobals<BucketFlags & { readonly yes?: boolean }>();
      if (flags.yes !== true) {
        throw new CliError(EXIT.usage, `this removes all keys of '${name}'`, "If so, say --yes.");
      }
      await using client = await openClient({ endpoints: endpointsOf(flags) });
      await client.removeBucket(name, { timeoutMs: flags.timeout, signal: shell.signal });
      if (output.forPrograms) await output.json({ name, removed: true });
      await output.note(`every member has removed the bucket '${name}'`);
      return EXIT.ok;
    }),
  );
}

function addTimeout(command: KvCommand): KvCommand {
  return command.option("--timeout <MS>", "longest time for all attempts together", wholeNumber);
}

/** Nodes judge the values; here they only get their JSON type. */
function givenBy(flags: BucketFlags): BucketGiven {
  const given = NAMES.flatMap((name): [string, unknown][] => {
    const text = flags[name];
    if (text === undefined) return [];
    if (text === "none") return [[name, null]];
    const isNumber = PROPERTIES[name].json === "number" && /^-?\d+(\.\d+)?$/.test(text);
    return [[name, isNumber ? Number(text) : text]];
  });
  return Object.fromEntries(given) as BucketGiven;
}

function dashed(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

const HEAD = ["BUCKET", "MODE", "N", "R", "W", "DURABILITY", "READ REPAIR", "TTL", "VALUE MAX"];

function row(bucket: Bucket): readonly string[] {
  const { name, mode, n, r, w, durability, readRepair, ttlSeconds, valueBytesMax } = bucket;
  const ttl = ttlSeconds === null ? "-" : `${ttlSeconds} s`;
  return [name, mode, `${n}`, `${r}`, `${w}`, durability, readRepair, ttl, `${valueBytesMax} B`];
}

async function show(output: Output, bucket: Bucket): Promise<void> {
  if (output.format !== "table") return output.json(bucket);
  const shown = NAMES.filter((name) => !PROPERTIES[name].siblings || bucket.mode === "siblings");
  await output.table(
    ["PROPERTY", "VALUE", ""],
    shown.map((name) => [name, String(bucket[name] ?? "none"), PROPERTIES[name].doc]),
  );
}

const CREATE_EXAMPLES = [
  "kv bucket create carts --mode siblings     # concurrent writes stand beside each other",
  "kv bucket create sessions --ttl-seconds 3600 --read-repair background",
];
const SET_EXAMPLES = [
  "kv bucket set sessions --ttl-seconds 7200",
  "kv bucket set sessions --ttl-seconds none  # what is written from now on stays",
];
