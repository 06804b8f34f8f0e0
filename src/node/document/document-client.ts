import type { Answer } from "../../core/answer.ts";
import { DecodeError } from "../../core/codec.ts";
import type { NodeId } from "../../core/ids.ts";
import type { ClusterDocument } from "../../core/layout/cluster-document.ts";
import { decodeDocumentReply } from "../../core/messages/answer.ts";
import { readDocument } from "../../core/messages/document.ts";
import type { DocumentRequest } from "../../core/messages/document.ts";
import type { Instant } from "../../ports/clock.ts";
import { askPeer } from "../peers/ask-peer.ts";
import type { AskModules } from "../peers/ask-peer.ts";

/** Asks members about the cluster document. */
export class DocumentClient {
  readonly #modules: AskModules;

  constructor(modules: AskModules) {
    this.#modules = modules;
  }

  /** @throws KvError with which the member says that it failed */
  async ask(
    member: NodeId,
    question: DocumentRequest,
    deadline: Instant,
  ): Promise<Answer<ClusterDocument>> {
    const request = { kind: "document", question } as const;
    const asked = { peer: member, request, deadline };
    const answer = await askPeer(asked, decodeDocumentReply, this.#modules);
    if (answer.kind !== "ok") return answer;
    if (answer.value.kind === "failed") throw answer.value.error;
    try {
      return {
        kind: "ok",
        value: readDocument(answer.value.document, this.#modules.document().layout),
      };
    } catch (error) {
      if (error instanceof DecodeError) return { kind: "unknown", reason: "damaged-answer" };
      throw error;
    }
  }
}
