import { DecodeError } from "../../core/codec.ts";
import { KvError } from "../../core/errors.ts";
import type { ClusterDocument } from "../../core/layout/cluster-document.ts";
import { documentJson } from "../../core/layout/document-json.ts";
import { readDocument } from "../../core/messages/document.ts";
import type { DocumentAnswer, DocumentRequest } from "../../core/messages/document.ts";
import type { Instant } from "../../ports/clock.ts";
import type { BucketChanges } from "./bucket-changes.ts";
import type { Documents } from "./documents.ts";

/** Answers what other members ask about the cluster document. Never rejects but for bugs. */
export class DocumentServer {
  readonly #documents: Documents;
  readonly #changes: BucketChanges;

  constructor({ documents, changes }: { documents: Documents; changes: BucketChanges }) {
    this.#documents = documents;
    this.#changes = changes;
  }

  async answer(request: DocumentRequest, deadline: Instant): Promise<DocumentAnswer> {
    try {
      return { kind: "document", document: documentJson(await this.#done(request, deadline)) };
    } catch (error) {
      return { kind: "failed", error: told(error) };
    }
  }

  async #done(request: DocumentRequest, deadline: Instant): Promise<ClusterDocument> {
    const { layout } = this.#documents.current;
    if (request.ask === "change") return this.#changes.inOrder(request.change, deadline);
    if (request.ask === "adopt") {
      await this.#documents.adopt(readDocument(request.document, layout));
    }
    return this.#documents.settled();
  }
}

function told(error: unknown): KvError {
  if (error instanceof KvError) return error;
  const why = error instanceof DecodeError ? "cannot read" : "could not store";
  return new KvError("change-unknown", `this member ${why} the document`, {}, { cause: error });
}
