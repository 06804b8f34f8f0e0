import type { Answer } from "../../core/answer.ts";
import { DecodeError } from "../../core/codec.ts";
import type { NodeId } from "../../core/ids.ts";
import type { ClusterDocument } from "../../core/layout/cluster-document.ts";
import {
  decodeDigestAnswer,
  decodeLearnAnswer,
  decodeListAnswer,
  decodeMintAnswer,
  decodeReadAnswer,
  decodeWriteAnswer,
} from "../../core/messages/answer.ts";
import type { DigestAnswer, LearnAnswer, ReadAnswer } from "../../core/messages/answer.ts";
import type { ListAnswer, ListRequest } from "../../core/messages/list.ts";
import type { MintAnswer, MintRequest } from "../../core/messages/mint.ts";
import { encodeRequest, envelopeOf } from "../../core/messages/request.ts";
import type { ReplicaRequest } from "../../core/messages/request.ts";
import type { RecordKey } from "../../core/record-key.ts";
import type { WriteIdHash } from "../../core/version/write-identity.ts";
import type { Clock, Instant } from "../../ports/clock.ts";
import type { PeerHandler, ReplicaWrite } from "../../ports/peer-handler.ts";
import type { Reply, Transport } from "../../ports/transport.ts";

interface RemoteReplicaModules {
  readonly clock: Clock;
  readonly transport: Transport;
  readonly document: () => ClusterDocument;
  /** The peer has said who it is on the present connection. */
  readonly isGreeted: (node: NodeId) => boolean;
}

/** A replica on another node, behind the same interface as the local one. */
export class RemoteReplica implements PeerHandler {
  readonly #node: NodeId;
  readonly #modules: RemoteReplicaModules;

  constructor(node: NodeId, modules: RemoteReplicaModules) {
    this.#node = node;
    this.#modules = modules;
  }

  read(key: RecordKey, deadline: Instant, onAnswer: (answer: Answer<ReadAnswer>) => void): void {
    const decode = (payload: Uint8Array) => decodeReadAnswer(payload, key);
    this.#ask({ kind: "read", key }, deadline, decode, onAnswer);
  }

  digest(
    key: RecordKey,
    deadline: Instant,
    onAnswer: (answer: Answer<DigestAnswer>) => void,
  ): void {
    this.#ask({ kind: "digest", key }, deadline, decodeDigestAnswer, onAnswer);
  }

  learn(
    { key, idHash }: { readonly key: RecordKey; readonly idHash: WriteIdHash },
    deadline: Instant,
    onAnswer: (answer: Answer<LearnAnswer>) => void,
  ): void {
    this.#ask({ kind: "learn", key, idHash }, deadline, decodeLearnAnswer, onAnswer);
  }

  /** Repairs are always synced: what they bring was acknowledged before, or read. */
  write(
    { key, record, durability, purpose }: ReplicaWrite,
    deadline: Instant,
    onAnswer: (answer: Answer<"applied">) => void,
  ): void {
    const request: ReplicaRequest =
      purpose === "repair"
        ? { kind: "repair", key, record }
        : { kind: "write", key, record, durability };
    this.#send(request, deadline, decodeWriteAnswer, onAnswer);
  }

  mint(mint: MintRequest, deadline: Instant, onAnswer: (answer: Answer<MintAnswer>) => void): void {
    this.#ask({ kind: "mint", mint }, deadline, decodeMintAnswer, onAnswer);
  }

  list(list: ListRequest, deadline: Instant, onAnswer: (answer: Answer<ListAnswer>) => void): void {
    const decode = (payload: Uint8Array) => decodeListAnswer(payload, list);
    this.#ask({ kind: "list", list }, deadline, decode, onAnswer);
  }

  /**
   * A peer that was not heard of on this connection may be a new process on a directory that lacks
   * what it once acknowledged: what it holds proves nothing. To write to it does no harm.
   */
  #ask<T>(
    request: ReplicaRequest,
    deadline: Instant,
    decode: (payload: Uint8Array) => Answer<T>,
    onAnswer: (answer: Answer<T>) => void,
  ): void {
    if (this.#modules.isGreeted(this.#node)) this.#send(request, deadline, decode, onAnswer);
    else onAnswer({ kind: "refused", reason: "not-sent" });
  }

  #send<T>(
    request: ReplicaRequest,
    deadline: Instant,
    decode: (payload: Uint8Array) => Answer<T>,
    onAnswer: (answer: Answer<T>) => void,
  ): void {
    const { clock, transport, document } = this.#modules;
    const remainingMs = deadline - clock.now();
    if (remainingMs <= 0) return onAnswer({ kind: "refused", reason: "expired" });
    const envelope = envelopeOf(document(), remainingMs);
    transport.send(this.#node, {
      deadline,
      encode: (writer) => encodeRequest(writer, envelope, request),
      onReply: (reply) => onAnswer(answerOf(reply, decode)),
    });
  }
}

export function answerOf<T>(reply: Reply, decode: (payload: Uint8Array) => Answer<T>): Answer<T> {
  switch (reply.kind) {
    case "not-sent":
      return { kind: "refused", reason: "not-sent" };
    case "unknown":
      return { kind: "unknown", reason: reply.reason };
    case "payload":
      try {
        return decode(reply.payload);
      } catch (error) {
        if (error instanceof DecodeError) return { kind: "unknown", reason: "damaged-answer" };
        throw error;
      }
  }
}
