import { hex, utf8 } from "../../../core/bytes.ts";
import { equalMacs, hmac } from "../../../core/hash.ts";
import type { ClusterId, NodeId } from "../../../core/ids.ts";
import type { Epoch } from "../../../core/layout/layout.ts";
import { PROTOCOL_VERSION } from "../../../core/messages/request.ts";

/**
 * How two peers come to trust a connection, in two requests on one socket:
 *
 *     GET /peer                →  200 with a challenge, or 403 with the reason for a refusal
 *     GET /peer, Upgrade       →  101 with the answerer's proof; frames follow
 *
 * A proof is HMAC-SHA-256 under the shared secret over both sides' nonces and everything that was
 * said, so a recorded handshake cannot be replayed and neither side can be impersonated. It does not
 * encrypt: a network that others can write to needs more.
 */
export const PEER_PATH = "/peer";
export const UPGRADE_PROTOCOL = "quorate-peer";
export const CHALLENGE_HEADER = "kv-peer-challenge";
export const PROOF_HEADER = "kv-peer-proof";
export const REFUSAL_HEADER = "kv-peer-refusal";
export const NONCE_BYTES = 16;

/** What the dialling side says of itself and of whom it expects. */
export interface Introduction {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly clusterId: ClusterId;
  readonly epoch: Epoch;
  readonly nonce: string;
}

export interface PeerIdentity {
  readonly id: NodeId;
  readonly clusterId: ClusterId;
  readonly epoch: Epoch;
  readonly secret: string | undefined;
}

const epochText = ({ number, hash }: Epoch): string => `${number}-${hash.toString(16)}`;

export function introductionHeaders(intro: Introduction): Record<string, string> {
  return {
    "kv-peer-version": String(PROTOCOL_VERSION),
    "kv-peer-from": intro.from,
    "kv-peer-to": intro.to,
    "kv-peer-cluster": intro.clusterId,
    "kv-peer-epoch": epochText(intro.epoch),
    "kv-peer-nonce": intro.nonce,
  };
}

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** @returns why this introduction is refused, as a sentence for both sides' logs, or undefined. */
export function refusalOf(headers: Headers, self: PeerIdentity): string | undefined {
  if (headers["kv-peer-version"] !== String(PROTOCOL_VERSION)) {
    return `protocol version ${String(headers["kv-peer-version"])} is not ${PROTOCOL_VERSION}`;
  }
  if (headers["kv-peer-cluster"] !== self.clusterId) {
    return `this is cluster '${self.clusterId}', not '${String(headers["kv-peer-cluster"])}'`;
  }
  if (headers["kv-peer-to"] !== self.id) {
    return `this is node '${self.id}', not '${String(headers["kv-peer-to"])}'`;
  }
  if (headers["kv-peer-epoch"] !== epochText(self.epoch)) {
    return `epoch ${String(headers["kv-peer-epoch"])} is not ${epochText(self.epoch)}: the peer lists differ`;
  }
  return undefined;
}

/** Proof that `side` knows the secret, bound to this one handshake. */
export function proofOf(
  side: "dialler" | "listener",
  opts: { secret: string | undefined; challenge: string; headers: Headers },
): string {
  const said = [
    "kv-peer-version",
    "kv-peer-from",
    "kv-peer-to",
    "kv-peer-cluster",
    "kv-peer-epoch",
    "kv-peer-nonce",
  ].map((name) => String(opts.headers[name]));
  return hex(hmac(opts.secret ?? "", [utf8([side, opts.challenge, ...said].join("\n"))]));
}

export function sameProof(a: string, b: unknown): boolean {
  return typeof b === "string" && equalMacs(utf8(a), utf8(b));
}
