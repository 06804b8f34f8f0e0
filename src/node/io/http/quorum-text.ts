import type { QuorumFacts } from "../../../ports/operations.ts";

/** The header KV-Quorum: a structured field (RFC 9651). */
export function quorumText({ needed, acked, epoch }: QuorumFacts): string {
  return `needed=${needed}, acked=${acked}, epoch=${epoch}`;
}
