import type { KvClient } from "../client/client.ts";
import type { ClientOptions } from "../client/options.ts";
import type { Format } from "./formats.ts";
import { listOf } from "./settings/table.ts";

export interface GlobalFlags {
  readonly endpoints: string;
  readonly output: Format;
  readonly profile?: string;
  readonly quiet?: boolean;
  readonly color?: boolean;
}

export function endpointsOf({ endpoints }: GlobalFlags): readonly string[] {
  return listOf(endpoints);
}

/** The client loads its HTTP library, which `kv --help` and `kv serve` need not wait for. */
export async function openClient(options: ClientOptions): Promise<KvClient> {
  const client = await import("../client/client.ts");
  return new client.KvClient(options);
}
