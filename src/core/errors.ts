/** What is known of a write after an error: whether this attempt may become visible. */
export type Outcome = "not-applied" | "unknown";
/** What the client should do: give up, retry under the same write id, or retry after a pause. */
export type Retry = "no" | "same-write-id" | "after";

interface ErrorSpec {
  /** HTTP status; `undefined`: no node answers with it, it arises where a process starts or in a client. */
  readonly status: number | undefined;
  readonly title: string;
  /** What holds unless the operation's own tally, handed over with the error, knows better. */
  readonly outcome: Outcome;
  readonly retry: Retry;
  /** One paragraph for docs/errors.md: what it means and what to do. */
  readonly doc: string;
}

/** The one table of error codes: HTTP problems, docs/errors.md and exit codes derive from it. */
export const ERRORS = {
  "request-invalid": {
    status: 400,
    title: "The request cannot be understood",
    outcome: "not-applied",
    retry: "no",
    doc: "The request line, path or body is malformed. The detail names the part.",
  },
  "bucket-name-invalid": {
    status: 400,
    title: "No bucket can have this name",
    outcome: "not-applied",
    retry: "no",
    doc: "Bucket names are 1 to 63 of `a-z 0-9 . _ -` and begin with a letter or digit.",
  },
  "bucket-property-invalid": {
    status: 400,
    title: "A bucket cannot have this property",
    outcome: "not-applied",
    retry: "no",
    doc: "The property is unknown, its value has the wrong type or is out of range, or it contradicts another one or the cluster: `r` and `w` are at most `n`, `n` at most the number of members. The detail names the property.",
  },
  "key-invalid": {
    status: 400,
    title: "No key can have this form",
    outcome: "not-applied",
    retry: "no",
    doc: "A key is 1 to 1,024 bytes. On `/v1/kv` it is percent-encoded; path segments `.` and `..` and the byte NUL can only be written as base64url on `/v1/kv64`, because proxies and URL libraries rewrite them.",
  },
  "parameter-invalid": {
    status: 400,
    title: "A query parameter is unknown or out of range",
    outcome: "not-applied",
    retry: "no",
    doc: "An unknown parameter is refused rather than ignored. `r` and `w` take 1 to n, `one`, `quorum` or `all`; `timeout` takes milliseconds up to the node's limit; `durability` takes `sync` or `async`; `limit` takes 1 to 1,000.",
  },
  "header-invalid": {
    status: 400,
    title: "A KV header is unknown or malformed",
    outcome: "not-applied",
    retry: "no",
    doc: "A `KV-…` request header that this version does not know is refused rather than ignored, so that nobody relies on a promise that is not kept.",
  },
  "route-not-found": {
    status: 404,
    title: "There is no such route",
    outcome: "not-applied",
    retry: "no",
    doc: "Keys live under `/v1/kv/{bucket}/{key}` and `/v1/kv64/{bucket}/{base64url}`.",
  },
  "bucket-not-found": {
    status: 404,
    title: "There is no such bucket",
    outcome: "not-applied",
    retry: "no",
    doc: "The bucket `default` always exists.",
  },
  "key-not-found": {
    status: 404,
    title: "The key has no value",
    outcome: "not-applied",
    retry: "no",
    doc: "R replicas answered and none holds a value. `deleted: true` says that a tombstone is known: the key existed and was deleted.",
  },
  "method-not-allowed": {
    status: 405,
    title: "This route does not take this method",
    outcome: "not-applied",
    retry: "no",
    doc: "The `Allow` header lists the methods that it takes.",
  },
  "request-timeout": {
    status: 408,
    title: "The request did not arrive in time",
    outcome: "not-applied",
    retry: "same-write-id",
    doc: "The client sent its headers or body too slowly and the connection was closed.",
  },
  "bucket-exists": {
    status: 409,
    title: "The bucket exists with other properties",
    outcome: "not-applied",
    retry: "no",
    doc: "`mode` and `n` are fixed when a bucket is created. Choose another name, or leave out what cannot change.",
  },
  "bucket-removed": {
    status: 409,
    title: "The bucket was removed, and its name is not used again",
    outcome: "not-applied",
    retry: "no",
    doc: "Replicas that were away still hold what the bucket held; under the same name it would come back. Choose another name.",
  },
  "bucket-mode-unfit": {
    status: 409,
    title: "The bucket's mode does not offer this",
    outcome: "not-applied",
    retry: "no",
    doc: "A causal context, `?version=` and the client's `update` are about concurrent writes that a bucket keeps: `mode` `siblings`, which is chosen when a bucket is created.",
  },
  "conditional-needs-strong-bucket": {
    status: 409,
    title: "Conditional writes are not offered here",
    outcome: "not-applied",
    retry: "no",
    doc: "`If-Match`, `If-None-Match`, `If-Unmodified-Since` on a write, and `If-Match` on a read, would need a linearizable bucket. They are refused, never half-checked.",
  },
  "value-too-large": {
    status: 413,
    title: "The value is too large",
    outcome: "not-applied",
    retry: "no",
    doc: "The bucket's `valueBytesMax` (1 MiB unless set) bounds a value. Split it, or store it elsewhere and keep its address here.",
  },
  "batch-too-large": {
    status: 413,
    title: "The batch is too large",
    outcome: "not-applied",
    retry: "no",
    doc: "A batch has at most 256 operations and a body of at most 4 MiB; then nothing of it was begun. As the error of one read in a batch: the values before it fill the answer of 8 MiB, so ask for it alone or in the next batch.",
  },
  "uri-too-long": {
    status: 414,
    title: "The request target is too long",
    outcome: "not-applied",
    retry: "no",
    doc: "The longest key, fully percent-encoded, fits; anything longer does not.",
  },
  overloaded: {
    status: 429,
    title: "The node is at its limit of concurrent operations",
    outcome: "not-applied",
    retry: "after",
    doc: "The request was refused before any work began. Wait for `Retry-After`, or ask another node.",
  },
  "context-invalid": {
    status: 400,
    title: "The causal context is not one of this key",
    outcome: "not-applied",
    retry: "no",
    doc: "`KV-Context` must be what an answer about this very bucket and key carried, unchanged. Read the key again and merge anew. After the cluster's secret was replaced, old contexts are refused.",
  },
  "cursor-invalid": {
    status: 400,
    title: "The cursor is not one of this listing",
    outcome: "not-applied",
    retry: "no",
    doc: "`cursor` must be what an earlier page of this very bucket and prefix carried, unchanged. Begin the listing anew. After the cluster's secret was replaced, old cursors are refused.",
  },
  "context-required": {
    status: 428,
    title: "The bucket takes no write without a causal context",
    outcome: "not-applied",
    retry: "no",
    doc: "The bucket's `blindWrites` is `refuse`. Read the key and send its `KV-Context` back with the write; the answer 404 carries one too.",
  },
  "context-too-large": {
    status: 409,
    title: "The key was written by too many actors",
    outcome: "not-applied",
    retry: "no",
    doc: "The causal context of this key would exceed 4 KiB. Nothing is pruned from it, for that would bring superseded versions back. Store the value under another key.",
  },
  "too-many-siblings": {
    status: 409,
    title: "The key has as many siblings as its bucket allows",
    outcome: "not-applied",
    retry: "no",
    doc: "The write would leave more than `siblingsMax` versions beside each other; `siblings` lists those that it does not supersede. Read the key, merge its siblings, and write the result with the `KV-Context` of that read.",
  },
  "write-id-reused": {
    status: 422,
    title: "The write id belongs to another write",
    outcome: "not-applied",
    retry: "no",
    doc: "A write with this `KV-Write-Id` and other content (value, content headers, ttl, or delete against put) is among the last 16 writes of the key within 10 minutes. An id names one logical write: mint a new one for each.",
  },
  "headers-too-large": {
    status: 431,
    title: "The request headers are too large",
    outcome: "not-applied",
    retry: "no",
    doc: "All headers together must stay within 16 KiB at a node and 8 KiB each behind nginx.",
  },
  internal: {
    status: 500,
    title: "The node has a bug",
    outcome: "unknown",
    retry: "same-write-id",
    doc: "An invariant of the program broke. The log line with this request id tells more; please report it.",
  },
  "write-unavailable": {
    status: 503,
    title: "Too few replicas for this write; it was not applied",
    outcome: "not-applied",
    retry: "after",
    doc: "Proven: every replica refused the write or was never sent it. It will never become visible. Retry after a pause, or with a smaller `w` if the data allows it.",
  },
  "read-unavailable": {
    status: 503,
    title: "Too few replicas answered this read",
    outcome: "not-applied",
    retry: "after",
    doc: "Fewer than R replicas could be asked. Nothing is said about the key, neither a value nor its absence; of a listing, there is no page rather than a short one.",
  },
  "read-unconfirmed": {
    status: 503,
    title: "The newest version could not be confirmed",
    outcome: "not-applied",
    retry: "after",
    doc: "Replicas disagreed, and the newest version could not be written back to enough of them for later reads to be certain to see it too. It is withheld: a value once read is never unread. Status 504 when the deadline passed first.",
  },
  "starting-or-draining": {
    status: 503,
    title: "The node does not take requests now",
    outcome: "not-applied",
    retry: "after",
    doc: "It is starting or stopping; `/readyz` says which. Ask another node.",
  },
  "members-missing": {
    status: 503,
    title: "A change of the buckets needs every member",
    outcome: "not-applied",
    retry: "after",
    doc: "Buckets change only while all members answer, so that none goes on with older properties. The detail names those that do not. Nothing was changed; start them, or wait, and send the same change again.",
  },
  "change-unknown": {
    status: 504,
    title: "Not every member has confirmed the change",
    outcome: "unknown",
    retry: "same-write-id",
    doc: "The change of a bucket was sent, and the detail names the members that did not confirm it. They take it over when they are back. Send the same change again: that completes it, and makes no second one.",
  },
  "clock-unsafe": {
    status: 503,
    title: "The node's clock is wrong",
    outcome: "not-applied",
    retry: "after",
    doc: "The clocks of most members differ from this node's by more than `clockOffsetMaxMs`, so it coordinates neither writes nor reads; nothing was sent. Ask another node. Set its clock right (the detail says by how much it is off): it serves again by itself within a second.",
  },
  "write-unknown": {
    status: 504,
    title: "The write may or may not become visible",
    outcome: "unknown",
    retry: "same-write-id",
    doc: "W acknowledgements are out of reach or the deadline passed, while at least one replica applied the write or may have. Retry under the same `KV-Write-Id`.",
  },
  "read-timeout": {
    status: 504,
    title: "Too few replicas answered in time",
    outcome: "not-applied",
    retry: "after",
    doc: "The deadline passed before R replicas answered. Nothing is said about the key.",
  },
  "no-space": {
    status: 507,
    title: "Too few replicas have space for this write; it was not applied",
    outcome: "not-applied",
    retry: "after",
    doc: "Proven: no replica applied the write, and at least one refused it because its disk is full or nearly so. Reads go on. The node takes writes again by itself once there is space; `kv status` names it.",
  },
  "gateway-unavailable": {
    status: 502,
    title: "No node could be reached",
    outcome: "unknown",
    retry: "same-write-id",
    doc: "The proxy in front (nginx, HAProxy) answered: it tried two nodes and could talk to neither, or lost both answers, or knows of no node that is ready. An attempt may have reached a replica.",
  },
  forbidden: {
    status: undefined,
    title: "The request is not allowed",
    outcome: "not-applied",
    retry: "no",
    doc: "A proxy before the nodes refused the request with 401 or 403; the nodes themselves ask for no credentials. Look at the rules of that proxy, or name the client port of a node.",
  },
  "gateway-timeout": {
    status: 504,
    title: "No node answered in time",
    outcome: "unknown",
    retry: "same-write-id",
    doc: "The proxy in front (nginx, HAProxy) answered: a node took the request and gave no answer in time. The write may become visible.",
  },
  unreachable: {
    status: undefined,
    title: "No endpoint could be reached",
    outcome: "not-applied",
    retry: "after",
    doc: "The client could talk to none of its endpoints: a write never left this process, a read got no answer. Check that a node runs and that `--endpoints` (or `KV_ENDPOINTS`) names its client port.",
  },
  "answer-invalid": {
    status: undefined,
    title: "The answer cannot be understood",
    outcome: "unknown",
    retry: "same-write-id",
    doc: "Something else listens at the endpoint, a proxy in between answered with an error of its own, or the node is newer than this client. The detail shows how the answer begins. Check `--endpoints` (or `KV_ENDPOINTS`).",
  },
  "option-invalid": {
    status: undefined,
    title: "An option has no valid value",
    outcome: "not-applied",
    retry: "no",
    doc: "The start stops and names the option. `docs/options.md` lists them all.",
  },
  "secret-required": {
    status: undefined,
    title: "A peer port beyond loopback needs a secret",
    outcome: "not-applied",
    retry: "no",
    doc: "Anyone who reaches an unprotected peer port can write any record. Set `--secret`, `KV_SECRET` or `secretFile` on every node.",
  },
  "directory-in-use": {
    status: undefined,
    title: "Another process uses the data directory",
    outcome: "not-applied",
    retry: "no",
    doc: "A data directory belongs to one running node. Stop the other process first.",
  },
  "directory-refused": {
    status: undefined,
    title: "The data directory belongs to somebody else",
    outcome: "not-applied",
    retry: "no",
    doc: "It carries another node's id, another cluster's id, a format that this version does not read, or buckets that need more members than `--peers` names. Nothing was changed in it. Check `--data`, `--id`, `--peers` and the cluster id.",
  },
  "directory-damaged": {
    status: undefined,
    title: "The data directory cannot be opened",
    outcome: "not-applied",
    retry: "no",
    doc: "A damaged database is salvaged by the start itself; this one could not be, and the detail says why: it does not say whose it is (then `--salvage true` vouches for it), nothing of it can be read, or too many damaged ones are kept already. To start with an empty directory instead is safe while the other replicas are whole: the node copies from them what it lacks.",
  },
  "disk-full": {
    status: undefined,
    title: "The disk is too full to open the data directory",
    outcome: "not-applied",
    retry: "after",
    doc: "LevelDB needs room to open even an unchanged database. Nothing is lost: free some space on the disk that holds `--data` and start the node again.",
  },
  "address-in-use": {
    status: undefined,
    title: "The address is in use",
    outcome: "not-applied",
    retry: "no",
    doc: "Another process listens on `--listen` or `--peer-listen`.",
  },
} as const satisfies Record<string, ErrorSpec>;

export type ErrorCode = keyof typeof ERRORS;

/** Facts that travel with an error into the problem document. */
export interface ErrorData {
  readonly outcome?: Outcome;
  readonly writeId?: string;
  readonly needed?: number;
  readonly acked?: number;
  /** Of an attempt in doubt: the stamp that it was given. For checkers; no client needs it. */
  readonly stamp?: number;
  readonly retryAfterMs?: number;
  readonly allow?: string;
  /** Status 504 instead of the table's: the deadline, not a refusal, ended the operation. */
  readonly atDeadline?: boolean;
  readonly deleted?: boolean;
  /** The dots of those that stand in the way. */
  readonly siblings?: readonly string[];
  /** The causal context of what the error tells of. */
  readonly context?: string;
}

export class KvError extends Error {
  override readonly name = "KvError";
  readonly code: ErrorCode;
  readonly data: ErrorData;

  constructor(code: ErrorCode, detail: string, data: ErrorData = {}, options?: ErrorOptions) {
    super(detail, options);
    this.code = code;
    this.data = data;
  }

  get status(): number {
    return this.data.atDeadline === true ? 504 : (ERRORS[this.code].status ?? 500);
  }

  get outcome(): Outcome {
    return this.data.outcome ?? ERRORS[this.code].outcome;
  }

  get retry(): Retry {
    return ERRORS[this.code].retry;
  }
}

/** Whether it is a failure of one of these codes, for `catch`. */
export function hasCode<Code extends ErrorCode>(
  error: unknown,
  ...codes: readonly Code[]
): error is KvError & { readonly code: Code } {
  const known: readonly ErrorCode[] = codes;
  return error instanceof KvError && known.includes(error.code);
}

export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERRORS, text);
}
