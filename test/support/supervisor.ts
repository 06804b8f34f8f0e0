import { setTimeout as sleep } from "node:timers/promises";
import type { ClusterNode, Ending } from "./cluster-node.ts";

/** A pause as systemd and compose make one: a node that cannot start must not spin. */
const RESTART_PAUSE_MS = 200;
/** As with systemd's StartLimitBurst; a node that ends this often does not heal itself. */
const RESTARTS_MAX = 20;

/**
 * Starts a node again whenever it ended in failure, as systemd (`Restart=on-failure`) and compose do.
 * A node that ends with 0 was asked to.
 */
export class Supervisor implements AsyncDisposable {
  /** How the node ended each time before it was started again. */
  readonly endings: Ending[] = [];
  readonly #node: ClusterNode;
  readonly #stopped = new AbortController();
  readonly #watching: Promise<void>;

  /** The node runs already. */
  constructor(node: ClusterNode) {
    this.#node = node;
    this.#watching = this.#watch();
  }

  /** Leaves the node as it is. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort();
    await this.#watching;
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stopped;
    const stopped = new Promise<"stopped">((resolve) =>
      signal.addEventListener("abort", () => resolve("stopped"), { once: true }),
    );
    while (this.endings.length < RESTARTS_MAX) {
      const ending = await Promise.race([this.#node.ended(), stopped]);
      if (ending === "stopped" || ending.code === 0) return;
      await sleep(RESTART_PAUSE_MS, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      this.endings.push(ending);
      this.#node.start();
    }
  }
}
