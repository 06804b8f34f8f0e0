import type { Answer } from "../../core/answer.ts";
import { DecodeError } from "../../core/codec.ts";
import type { NodeId } from "../../core/ids.ts";
import type { ClusterDocument } from "../../core/layout/cluster-document.ts";
import { decodeDocumentReply } from "../../core/messages/answer.ts";
import { readDocument } from "../../core/messages/document.ts";
import type { DocumentRequest } from "../../core/messages/document.ts";
import { encodeRequest, envelopeOf } from "../../core/messages/request.ts";
import type { Clock, Instant } from "../../ports/clock.ts";
import type { Transport } from "../../ports/transport.ts";
import { answerOf } from "../peers/remote-replica.ts";

interface DocumentClientModules {
  readonly clock: Clock;
  readonly transport: Transport;
  readonly document: () => ClusterDocument;
}

/** Asks members about the cluster document. */
export class DocumentClient {
  readonly #modules: DocumentClientModules;

  constructor(modules: DocumentClientModules) {
    this.#modules = modules;
  }

  /** @throws KvError with which the member says that it failed */
  async ask(
    member: NodeId,
    question: DocumentRequest,
    deadline: Instant,
  ): Promise<Answer<ClusterDocument>> {
    const { clock, document, transport } = this.#modules;
    const envelope = envelopeOf(document(), deadline - clock.now());
    const answer = await new Promise<ReturnType<typeof decodeDocumentReply>>((resolve) => {
      transport.send(member, {
        deadline,
        encode: (writer) => encodeRequest(writer, envelope, { kind: "document", question }),
        onReply: (reply) => resolve(answerOf(reply, decodeDocumentReply)),
      });
    });
    if (answer.kind !== "ok") return answer;
    if (answer.value.kind === "failed") throw answer.value.error;
    try {
      return { kind: "ok", value: readDocument(answer.value.document, document().layout) };
    } catch (error) {
      if (error instanceof DecodeError) return { kind: "unknown", reason: "damaged-answer" };
      throw error;
    }
  }
}
