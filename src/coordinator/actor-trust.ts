/**
 * Whether this node holds all that its present actor minted. Once it may not, it mints only as a new
 * actor: what it minted next would else cover the lost version in the eyes of every reader.
 */
export class ActorTrust {
  readonly #renew: () => Promise<void>;
  #lost = false;
  #renewal: Promise<void> | undefined;

  constructor(renew: () => Promise<void>) {
    this.#renew = renew;
  }

  get isTrusted(): boolean {
    return !this.#lost && this.#renewal === undefined;
  }

  /** A version may have gone out that is not on the own disk. */
  lose(): void {
    this.#lost = true;
  }

  /** Resolves when there is an actor to be trusted. @throws whatever storing a new one throws. */
  restored(): Promise<void> {
    if (this.isTrusted) return Promise.resolve();
    this.#renewal ??= this.#restore().finally(() => {
      this.#renewal = undefined;
    });
    return this.#renewal;
  }

  async #restore(): Promise<void> {
    while (this.#lost) {
      this.#lost = false;
      try {
        await this.#renew();
      } catch (error) {
        this.#lost = true;
        throw error;
      }
    }
  }
}
