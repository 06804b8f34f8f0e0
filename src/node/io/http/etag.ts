import { latin1 } from "../../../core/bytes.ts";
import { hash32 } from "../../../core/hash.ts";
import type { VersionIdentity } from "../../../core/version/version.ts";

/** Strong: equal for one version on every node, different for any two versions of a key. */
export function etagOf({ stamp, writeId }: VersionIdentity): string {
  return `"${stamp.toString(36)}-${hash32(latin1(writeId)).toString(36)}"`;
}
