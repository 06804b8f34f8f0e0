import { Argument, InvalidArgumentError, Option } from "commander";
import type { QuorumChoice } from "../client/call-options.ts";
import type { Durability } from "../core/bucket.ts";
import { fromBase64url, utf8 } from "../core/bytes.ts";
import { CliError, EXIT } from "./exit-code.ts";
import type { GlobalFlags } from "./global-options.ts";
import type { KvCommand } from "./kv-command.ts";
import { SETTINGS, docOf, wholeNumberOf } from "./settings/table.ts";

/** Flags of the commands that read or write keys. */
export interface KeyFlags extends GlobalFlags {
  readonly bucket: string;
  readonly timeout?: number;
  readonly keyEncoding: "utf8" | "base64url";
}

export interface WriteFlags extends KeyFlags {
  readonly w?: QuorumChoice;
  readonly durability?: Durability;
  readonly writeId?: string;
  readonly causalContext?: string;
}

/** For files as for keys on the command line. */
export function addBucketOptions(command: KvCommand): KvCommand {
  return command
    .option("-b, --bucket <NAME>", docOf("bucket"), SETTINGS.bucket.default)
    .option("--timeout <MS>", docOf("timeout"), wholeNumber);
}

export function addKey(command: KvCommand): KvCommand {
  return addBucketOptions(command.addArgument(new Argument("<KEY>", "the key"))).addOption(
    new Option("--key-encoding <ENCODING>", "how KEY is written; base64url can name any bytes")
      .choices(["utf8", "base64url"])
      .default("utf8"),
  );
}

export function addReadQuorum(command: KvCommand): KvCommand {
  return command.option("-r <COUNT>", `replicas that must answer: ${QUORUMS}`, quorum);
}

export function addWriteOptions(command: KvCommand): KvCommand {
  return command
    .option("-w <COUNT>", `replicas that must acknowledge: ${QUORUMS}`, quorum)
    .addOption(
      new Option(
        "--durability <MODE>",
        "sync: on disk before it is acknowledged; async: handed to the operating system",
      ).choices(["sync", "async"]),
    );
}

/** Of a command that writes one key. */
export function addOneWrite(command: KvCommand): KvCommand {
  return addWriteOptions(command)
    .option("--write-id <ID>", "repeat this earlier write instead of making a new one")
    .option(
      "--causal-context <CONTEXT>",
      "supersede what the read with this context has shown, and nothing else",
    );
}

export function keyOf(text: string, encoding: KeyFlags["keyEncoding"]): Uint8Array {
  const key = encoding === "utf8" ? utf8(text) : fromBase64url(text);
  if (key === undefined) throw new CliError(EXIT.usage, `'${text}' is not unpadded base64url`);
  return key;
}

const QUORUMS = "a number, one, quorum or all (default: the bucket's)";

function quorum(text: string): QuorumChoice {
  if (text === "one" || text === "quorum" || text === "all") return text;
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It is a number from 1, or one, quorum or all.");
}

export function wholeNumber(text: string): number {
  const value = wholeNumberOf(text);
  if (value !== undefined) return value;
  throw new InvalidArgumentError("It is a whole number from 1.");
}
