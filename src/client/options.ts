/** What a user may set; every bound has a name and a default. */
export interface ClientOptions {
  /** `http://host:port` of nodes or of a proxy before them; `host:port` is short for http. */
  readonly endpoints: readonly string[];
  /** Longest time of one call, all attempts and pauses together. Default 5,000. */
  readonly timeoutMs?: number;
  /**
   * Longest wait for one attempt, so that a hung node leaves time for another. Default: half of the
   * call's time, at least 2,000. The node is asked to answer a little earlier than that.
   */
  readonly attemptTimeoutMs?: number;
  /** Attempts of one call that may cost a node work. Default 4. */
  readonly attemptsMax?: number;
  /** Upper bound of the first pause between attempts; it doubles, pauses are drawn below it. Default 50. */
  readonly backoffMs?: number;
  /** Where the doubling ends. Default 1,000. */
  readonly backoffMaxMs?: number;
  /** Retries that each call adds to the budget, so retries stay below this share. Default 0.1. */
  readonly retryRatio?: number;
  /** Retries that may be saved up, for the moment in which a node dies under many calls. Default 100. */
  readonly retryBurst?: number;
  /** How long an endpoint that failed is asked last. Default 1,000. */
  readonly endpointRestMs?: number;
  /** Open connections to one endpoint; further calls wait for one within their time. Default 64. */
  readonly connectionsMax?: number;
  /** Longest body of an answer. Default 64 MiB. */
  readonly answerBytesMax?: number;
}

export type ClientLimits = Required<Omit<ClientOptions, "endpoints" | "attemptTimeoutMs">> & {
  readonly attemptTimeoutMs: number | undefined;
};

const MiB = 1024 * 1024;

export function limitsOf(options: ClientOptions): ClientLimits {
  return {
    timeoutMs: options.timeoutMs ?? 5_000,
    attemptTimeoutMs: options.attemptTimeoutMs,
    attemptsMax: options.attemptsMax ?? 4,
    backoffMs: options.backoffMs ?? 50,
    backoffMaxMs: options.backoffMaxMs ?? 1_000,
    retryRatio: options.retryRatio ?? 0.1,
    retryBurst: options.retryBurst ?? 100,
    endpointRestMs: options.endpointRestMs ?? 1_000,
    connectionsMax: options.connectionsMax ?? 64,
    answerBytesMax: options.answerBytesMax ?? 64 * MiB,
  };
}

/** Time, chance and identity, which tests replace. */
export interface ClientModules {
  /** Milliseconds on a clock that never goes back. */
  readonly now: () => number;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  /** Resolves early when the signal aborts. */
  readonly sleep: (ms: number, signal: AbortSignal | undefined) => Promise<void>;
  readonly mintWriteId: () => string;
}

export const MODULES: ClientModules = {
  now: () => performance.now(),
  random: () => Math.random(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      signal?.addEventListener("abort", wake);
    }),
  mintWriteId: () => crypto.randomUUID(),
};
