import type { KvClient } from "../client/client.ts";
import type { ClientOptions } from "../client/options.ts";
import type { Format } from "./output.ts";
import type { Shell } from "./shell.ts";

export const ENDPOINTS_DEFAULT = "http://127.0.0.1:7080";

export interface GlobalFlags {
  readonly endpoints?: string;
  readonly output?: Format;
  readonly quiet?: boolean;
  readonly color?: boolean;
}

/** Flag over variable over default. */
export function endpointsOf({ endpoints }: GlobalFlags, { env }: Shell): readonly string[] {
  const variable = env["KV_ENDPOINTS"] ?? "";
  return (endpoints ?? (variable === "" ? ENDPOINTS_DEFAULT : variable))
    .split(",")
    .map((endpoint) => endpoint.trim())
    .filter((endpoint) => endpoint !== "");
}

/** The client loads its HTTP library, which `kv --help` and `kv serve` need not wait for. */
export async function openClient(options: ClientOptions): Promise<KvClient> {
  const client = await import("../client/client.ts");
  return new client.KvClient(options);
}
