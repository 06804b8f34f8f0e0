import { DecodeError } from "../../core/codec.ts";
import { KvError } from "../../core/errors.ts";
import type { Outcome } from "../../core/errors.ts";
import type { NodeId } from "../../core/ids.ts";
import type { ClusterDocument } from "../../core/layout/cluster-document.ts";
import { documentJson } from "../../core/layout/document-json.ts";
import { readDocument } from "../../core/messages/document.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Storage, StorageWrite } from "../../ports/storage.ts";
import type { Telemetry } from "../../ports/telemetry.ts";
import { metaKey, seal, unseal } from "../replica/sealed.ts";
import type { DocumentClient } from "./document-client.ts";

const DOCUMENT_KEY = metaKey("document");
/** How long an operation waits for a newer document that this node has heard of. */
const CATCH_UP_MS_MAX = 2_000;
const RETRY_AFTER_MS = 1_000;

interface DocumentsModules {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** Stores an entry, synced. */
  readonly put: (write: StorageWrite) => Promise<void>;
  readonly peers: readonly NodeId[];
  readonly client: () => Pick<DocumentClient, "ask">;
  /** A newer document is the current one now. */
  readonly onChange: () => void;
}

/** What a start found on its disk. */
export interface FoundDocument {
  readonly document: ClusterDocument;
  /** It was stored here, so nothing that this node confirmed is missing. */
  readonly isStored: boolean;
}

/**
 * The cluster document that this node goes by. A newer one is on its disk before it counts, and once
 * this node has heard of one it coordinates nothing before it has it.
 *
 * A node that found none on its disk may have confirmed changes that it has lost: it then needs the
 * word of one member that knows, for a change that was acknowledged is on every member's disk.
 */
export class Documents {
  readonly #modules: DocumentsModules;
  #current: ClusterDocument;
  /** Peers whose word is awaited, none of whom has known better yet; empty: this node knows. */
  readonly #awaited: Set<NodeId>;
  #newestHeard: number;
  #fetching = false;
  #storing: Promise<void> = Promise.resolve();
  readonly #waiting = new Set<() => void>();

  constructor({ document, isStored }: FoundDocument, modules: DocumentsModules) {
    this.#modules = modules;
    this.#current = document;
    this.#newestHeard = document.version;
    this.#awaited = new Set(isStored ? [] : modules.peers);
  }

  /** @throws KvError `directory-damaged`; `directory-refused` when its buckets do not fit the members. */
  static async find(first: ClusterDocument, storage: Storage): Promise<FoundDocument> {
    const [bytes] = await storage.getMany([DOCUMENT_KEY]);
    if (bytes === undefined) return { document: first, isStored: false };
    const json = unseal(DOCUMENT_KEY, bytes);
    if (json === undefined) {
      throw new KvError("directory-damaged", "the directory's cluster document is damaged");
    }
    try {
      return { document: readDocument(json, first.layout), isStored: true };
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      const detail = `its buckets do not fit the members that were given: ${error.message}`;
      throw new KvError("directory-refused", detail, {}, { cause: error });
    }
  }

  get current(): ClusterDocument {
    return this.#current;
  }

  /** For heartbeats; 0 while this node does not know whether it has the newest. */
  get announced(): number {
    return this.#awaited.size > 0 ? 0 : this.#current.version;
  }

  get isBehind(): boolean {
    return this.#awaited.size > 0 || this.#newestHeard > this.#current.version;
  }

  /** A peer has said which version it has. */
  onHeard(peer: NodeId, version: number): void {
    if (version > this.#newestHeard) this.#newestHeard = version;
    if (version > this.#current.version) {
      void this.#catchUp(peer);
    } else if (this.#awaited.size > 0) {
      // One member that knows is enough, and all that do not: then there was never a change.
      if (version > 0) this.#awaited.clear();
      else this.#awaited.delete(peer);
      if (this.#awaited.size === 0) this.#learned();
    }
  }

  /** The document once what is on its way to the disk has arrived: who asks may make the next from it. */
  async settled(): Promise<ClusterDocument> {
    await this.#storing;
    return this.#current;
  }

  /** @returns when the document, or a newer one, is on the disk and counts. */
  adopt(document: ClusterDocument): Promise<void> {
    const stored = this.#storing.then(() => this.#store(document));
    this.#storing = stored.catch(() => {});
    return stored;
  }

  /**
   * @returns undefined when there is nothing to wait for.
   * @throws KvError `starting-or-draining` of this outcome, after a while
   */
  caughtUp(outcome: Outcome): Promise<void> | undefined {
    if (!this.isBehind) return undefined;
    const { clock } = this.#modules;
    return new Promise((resolve, reject) => {
      const end = (): void => {
        late.cancel();
        resolve();
      };
      this.#waiting.add(end);
      const late = clock.after(CATCH_UP_MS_MAX, () => {
        this.#waiting.delete(end);
        const from = this.#awaited.size > 0 ? [...this.#awaited].join(", ") : "another member";
        const detail = `this node has not heard from ${from} yet which buckets are the newest`;
        const data = { outcome, retryAfterMs: RETRY_AFTER_MS };
        reject(new KvError("starting-or-draining", detail, data));
      });
    });
  }

  async #store(document: ClusterDocument): Promise<void> {
    if (document.version <= this.#current.version) return;
    await this.#modules.put(documentWrite(document));
    this.#current = document;
    this.#awaited.clear();
    this.#modules.telemetry.log.info({ version: document.version }, "the buckets have changed");
    this.#modules.onChange();
    this.#tellWaiters();
  }

  /** What this node has is the newest, and a later start will find it. */
  #learned(): void {
    const write = documentWrite(this.#current);
    this.#modules.put(write).catch((error: unknown) => this.#notStored(error));
    this.#modules.onChange();
    this.#tellWaiters();
  }

  /** One at a time; what is still newer then is heard of again with the next heartbeat. */
  async #catchUp(peer: NodeId): Promise<void> {
    if (this.#fetching) return;
    this.#fetching = true;
    try {
      const { client, clock } = this.#modules;
      const answer = await client().ask(peer, { ask: "tell" }, clock.now() + CATCH_UP_MS_MAX);
      if (answer.kind === "ok") await this.adopt(answer.value);
    } catch (error) {
      this.#notStored(error);
    } finally {
      this.#fetching = false;
    }
  }

  #notStored(error: unknown): void {
    this.#modules.telemetry.log.warn({ err: error }, "the cluster document was not stored");
  }

  #tellWaiters(): void {
    if (this.isBehind) return;
    for (const end of this.#waiting) end();
    this.#waiting.clear();
  }
}

function documentWrite(document: ClusterDocument): StorageWrite {
  return { key: DOCUMENT_KEY, value: seal(DOCUMENT_KEY, documentJson(document)) };
}
