import type { Command } from "commander";
import type { KvClient } from "../../client/client.ts";
import type { CallOptions } from "../../client/call-options.ts";
import { endpointsOf, openClient } from "../global-options.ts";
import { keyFields, keyName } from "../json-bytes.ts";
import { addKey, keyOf } from "../key-options.ts";
import type { KeyFlags } from "../key-options.ts";
import type { KvCommand } from "../kv-command.ts";
import type { Output } from "../output.ts";
import type { Settle } from "../settle.ts";
import type { Shell } from "../shell.ts";

/** Longest wait for a look at a key: a replica that hangs is waited for all that time. */
const LOOK_TIMEOUT_MS = 3_000;

/** A key, and one node that is asked about it. */
export interface Look {
  readonly client: KvClient;
  readonly key: Uint8Array;
  readonly options: CallOptions;
  /** How JSON names it. */
  readonly named: { readonly bucket: string } & ReturnType<typeof keyFields>;
  /** How people read it. */
  readonly title: string;
}

/** What all commands that look at a key share: the key's options, and the client while they look. */
export function lookAtKey(
  command: KvCommand,
  { shell, settle }: { readonly shell: Shell; readonly settle: Settle },
  look: (output: Output, look: Look) => Promise<number>,
): void {
  addKey(command).action(
    settle(async (output, text: string, _flags: unknown, self: Command) => {
      const flags = self.optsWithGlobals<KeyFlags>();
      const { bucket, keyEncoding, timeout: timeoutMs = LOOK_TIMEOUT_MS } = flags;
      const key = keyOf(text, keyEncoding);
      await using client = await openClient({ endpoints: endpointsOf(flags) });
      return await look(output, {
        client,
        key,
        options: { bucket, timeoutMs, signal: shell.signal },
        named: { bucket, ...keyFields(key) },
        title: `${keyName(key)} in bucket ${bucket}`,
      });
    }),
  );
}
