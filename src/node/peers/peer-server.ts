import type { Answer, Refusal } from "../../core/answer.ts";
import { DecodeError } from "../../core/codec.ts";
import type { ByteWriter } from "../../core/codec.ts";
import type { ClusterDocument } from "../../core/layout/cluster-document.ts";
import { sameEpoch } from "../../core/layout/layout.ts";
import {
  encodeDigestAnswer,
  encodeFailure,
  encodeLearnAnswer,
  encodeListAnswer,
  encodeMintAnswer,
  encodeReadAnswer,
  encodeScanAnswer,
  encodeWriteAnswer,
} from "../../core/messages/answer.ts";
import { encodeDocumentAnswer } from "../../core/messages/document.ts";
import type { DocumentAnswer, DocumentRequest } from "../../core/messages/document.ts";
import { encodeHeartbeatAnswer } from "../../core/messages/heartbeat.ts";
import type { Heartbeat, HeartbeatAnswer } from "../../core/messages/heartbeat.ts";
import { decodeRequest } from "../../core/messages/request.ts";
import type { Envelope, PeerRequest } from "../../core/messages/request.ts";
import type { ScanPage, ScanRequest } from "../../core/messages/scan.ts";
import type { Clock, Instant } from "../../ports/clock.ts";
import type { PeerHandler } from "../../ports/peer-handler.ts";
import type { FreshStamps } from "../membership/fresh-stamps.ts";

interface PeerServerModules {
  readonly clock: Clock;
  readonly replica: PeerHandler;
  readonly document: () => ClusterDocument;
  readonly onHeartbeat: (heartbeat: Heartbeat) => HeartbeatAnswer;
  /** Never rejects. */
  readonly onScan: (scan: ScanRequest, deadline: Instant) => Promise<Answer<ScanPage>>;
  /** Never rejects. */
  readonly onDocument: (question: DocumentRequest, deadline: Instant) => Promise<DocumentAnswer>;
  readonly freshStamps: FreshStamps;
}

type SendAnswer = (encode: (writer: ByteWriter) => void) => void;

/** Answers the requests that peers send to this node's replica. */
export class PeerServer {
  readonly #modules: PeerServerModules;

  constructor(modules: PeerServerModules) {
    this.#modules = modules;
  }

  handle(payload: Uint8Array, answer: SendAnswer): void {
    let message: { envelope: Envelope; request: PeerRequest };
    try {
      message = decodeRequest(payload);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      return refuse(answer, "damaged-message");
    }
    // Layouts do not change yet, so nodes that disagree were given different peer lists: neither
    // may count the other's answers.
    if (!sameEpoch(message.envelope.epoch, this.#modules.document().layout.epoch)) {
      return refuse(answer, "epoch-mismatch");
    }
    this.#dispatch(message.request, message.envelope.remainingMs, answer);
  }

  #dispatch(request: PeerRequest, remainingMs: number, answer: SendAnswer): void {
    const { clock, replica } = this.#modules;
    const deadline = clock.now() + remainingMs;
    switch (request.kind) {
      case "read":
        replica.read(request.key, deadline, (result) =>
          answer((writer) => encodeReadAnswer(writer, result)),
        );
        return;
      case "digest":
        replica.digest(request.key, deadline, (result) =>
          answer((writer) => encodeDigestAnswer(writer, result)),
        );
        return;
      case "learn":
        replica.learn(request, deadline, (result) =>
          answer((writer) => encodeLearnAnswer(writer, result)),
        );
        return;
      case "write":
        this.#modules.freshStamps.note(request.record);
        replica.write({ ...request, purpose: "client" }, deadline, (result) =>
          answer((writer) => encodeWriteAnswer(writer, result)),
        );
        return;
      case "mint":
        replica.mint(request.mint, deadline, (result) =>
          answer((writer) => encodeMintAnswer(writer, result)),
        );
        return;
      case "list":
        replica.list(request.list, deadline, (result) =>
          answer((writer) => encodeListAnswer(writer, result)),
        );
        return;
      case "repair":
        replica.write({ ...request, durability: "sync", purpose: "repair" }, deadline, (result) =>
          answer((writer) => encodeWriteAnswer(writer, result)),
        );
        return;
      case "heartbeat": {
        const said = this.#modules.onHeartbeat(request.heartbeat);
        return answer((writer) => encodeHeartbeatAnswer(writer, said));
      }
      case "scan":
        void this.#modules
          .onScan(request.scan, deadline)
          .then((result) => answer((writer) => encodeScanAnswer(writer, result)));
        return;
      case "document":
        void this.#modules
          .onDocument(request.question, deadline)
          .then((result) => answer((writer) => encodeDocumentAnswer(writer, result)));
        return;
    }
  }
}

function refuse(answer: SendAnswer, reason: Refusal): void {
  answer((writer) => encodeFailure(writer, { kind: "refused", reason }));
}
