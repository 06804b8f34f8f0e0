/** Severity: error = someone should look; info = a state change worth a line; debug = the rest. */
export interface Logger {
  error(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  debug(fields: LogFields, message: string): void;
}

/** Names of what is never logged. A sink censors them, however deep, should they come all the same. */
export const UNLOGGED = ["key", "value", "body", "secret", "authorization", "proof"] as const;

/** Never keys, values or secrets. `err` is printed with its stack and causes. */
export type LogFields = Readonly<Record<string, unknown>> & {
  readonly [K in (typeof UNLOGGED)[number]]?: never;
};

interface MetricSpec {
  readonly kind: "counter" | "gauge" | "histogram";
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds of a histogram, in the unit of its name. */
  readonly buckets?: readonly number[];
}

const VALUE_BYTES = [64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576];
const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** Every metric of a node. Labels take few values: never keys, clients or ids of requests. */
export const METRICS = {
  buildInfo: {
    kind: "gauge",
    name: "kv_build_info",
    help: "1, with what this process is made of",
    labels: ["version", "node_version"],
  },
  requests: {
    kind: "counter",
    name: "kv_requests_total",
    help: "Client operations by how they ended",
    labels: ["op", "mode", "result"],
  },
  requestDuration: {
    kind: "histogram",
    name: "kv_request_duration_seconds",
    help: "Time from the parsed request to its answer",
    labels: ["op", "mode"],
    buckets: SECONDS,
  },
  inflightRequests: {
    kind: "gauge",
    name: "kv_inflight_requests",
    help: "Client operations in flight",
    labels: [],
  },
  problems: {
    kind: "counter",
    name: "kv_problems_total",
    help: "Answers on the client port that were problems, by their code; docs/errors.md has them all",
    labels: ["code"],
  },
  clientConnections: {
    kind: "gauge",
    name: "kv_client_connections",
    help: "Open connections on the client port",
    labels: [],
  },
  retriedWrites: {
    kind: "counter",
    name: "kv_retried_writes_total",
    help: "Writes that their sender, a client or a proxy, sent for a further time",
    labels: [],
  },
  valueSize: {
    kind: "histogram",
    name: "kv_value_size_bytes",
    help: "Sizes of the values that operations read and wrote",
    labels: ["op"],
    buckets: VALUE_BYTES,
  },
  siblings: {
    kind: "histogram",
    name: "kv_siblings",
    help: "Concurrent versions that reads of siblings buckets found",
    labels: [],
    buckets: [1, 2, 4, 8, 16, 32],
  },
  roundDuration: {
    kind: "histogram",
    name: "kv_round_duration_seconds",
    help: "Time of one round of an operation over its replicas, by how it ended",
    labels: ["round", "result"],
    buckets: SECONDS,
  },
  replicaDuration: {
    kind: "histogram",
    name: "kv_replica_answer_duration_seconds",
    help: "Time from asking a replica, this node among them, to an answer that is ok; late ones count too",
    labels: ["peer", "op"],
    buckets: SECONDS,
  },
  replicaAnswers: {
    kind: "counter",
    name: "kv_replica_answers_total",
    help: "Answers of replicas to this coordinator; result is ok or the reason of the failure",
    labels: ["peer", "op", "result"],
  },
  spareRequests: {
    kind: "counter",
    name: "kv_spare_requests_total",
    help: "Replicas asked in place of one that failed or was silent",
    labels: ["op"],
  },
  hedges: {
    kind: "counter",
    name: "kv_hedges_total",
    help: "Further replicas for a silent one: won = answered in time, wasted = not needed, over-budget = not asked",
    labels: ["result"],
  },
  suspicions: {
    kind: "counter",
    name: "kv_peer_suspicions_total",
    help: "Times that a peer became suspect by leaving requests unanswered",
    labels: ["peer"],
  },
  peerSuspect: {
    kind: "gauge",
    name: "kv_peer_suspect",
    help: "1 while the peer is asked last because it is silent or late",
    labels: ["peer"],
  },
  clockOffset: {
    kind: "gauge",
    name: "kv_clock_offset_seconds",
    help: "How far the peer's wall clock is ahead of this node's",
    labels: ["peer"],
  },
  clockUnsafe: {
    kind: "gauge",
    name: "kv_clock_unsafe",
    help: "1 while this node coordinates nothing because most members' clocks differ from its own",
    labels: [],
  },
  stampsAhead: {
    kind: "counter",
    name: "kv_stamps_ahead_total",
    help: "New writes stamped ahead of this node's clock by more than clockOffsetMaxMs",
    labels: [],
  },
  staleReplies: {
    kind: "counter",
    name: "kv_stale_replies_total",
    help: "Replicas found behind by a read that they answered",
    labels: ["peer"],
  },
  readRepairs: {
    kind: "counter",
    name: "kv_read_repairs_total",
    help: "Reads that wrote the newest version back before they answered, by how that ended",
    labels: ["result"],
  },
  knownWrites: {
    kind: "counter",
    name: "kv_known_writes_total",
    help: "Writes recognised by their write id and acknowledged without a second incarnation",
    labels: [],
  },
  refused: {
    kind: "counter",
    name: "kv_bound_exceeded_total",
    help: "Work refused or dropped because a named bound was reached",
    labels: ["bound"],
  },
  peerConnections: {
    kind: "counter",
    name: "kv_peer_connections_total",
    help: "Connections to a peer by what became of them",
    labels: ["peer", "result"],
  },
  peerConnected: {
    kind: "gauge",
    name: "kv_peer_connected",
    help: "1 while the connection to the peer stands",
    labels: ["peer"],
  },
  peerRoundTrip: {
    kind: "gauge",
    name: "kv_peer_round_trip_seconds",
    help: "Round trip of heartbeats to the peer, smoothed",
    labels: ["peer"],
  },
  peerInflight: {
    kind: "gauge",
    name: "kv_peer_inflight_requests",
    help: "Requests to the peer without an answer yet",
    labels: ["peer"],
  },
  peerQueued: {
    kind: "gauge",
    name: "kv_peer_queued_bytes",
    help: "Bytes that wait to be sent to the peer",
    labels: ["peer"],
  },
  layoutEpoch: {
    kind: "gauge",
    name: "kv_layout_epoch",
    help: "Number of the layout that this node works by",
    labels: [],
  },
  documentVersion: {
    kind: "gauge",
    name: "kv_document_version",
    help: "Version of the cluster document, which holds the buckets, that this node works by",
    labels: [],
  },
  partitions: {
    kind: "gauge",
    name: "kv_partitions",
    help: "Partitions by how many of their replicas this node reaches and may believe: ok = all, degraded = a majority, no-quorum = fewer",
    labels: ["state"],
  },
  partitionsOwned: {
    kind: "gauge",
    name: "kv_partitions_owned",
    help: "Partitions of which this node is a replica",
    labels: [],
  },
  commitQueue: {
    kind: "gauge",
    name: "kv_commit_queue_writes",
    help: "Writes that wait for a commit of this replica",
    labels: [],
  },
  commitWait: {
    kind: "histogram",
    name: "kv_storage_commit_wait_seconds",
    help: "Time that the first write of a commit waited for it",
    labels: [],
    buckets: SECONDS,
  },
  commitBatch: {
    kind: "histogram",
    name: "kv_storage_batch_size",
    help: "Writes that shared one commit",
    labels: [],
    buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512],
  },
  commitDuration: {
    kind: "histogram",
    name: "kv_storage_commit_duration_seconds",
    help: "Time of one storage batch, fsync included where asked for",
    labels: ["durability"],
    buckets: SECONDS,
  },
  readQueue: {
    kind: "gauge",
    name: "kv_read_queue_reads",
    help: "Reads that wait for the storage of this replica or are under way there",
    labels: [],
  },
  readDuration: {
    kind: "histogram",
    name: "kv_storage_read_duration_seconds",
    help: "Time of one reading of the storage, for all reads that arrived together",
    labels: [],
    buckets: SECONDS,
  },
  cacheLookups: {
    kind: "counter",
    name: "kv_record_cache_lookups_total",
    help: "Look-ups of records by whether they were cached",
    labels: ["result"],
  },
  cacheBytes: {
    kind: "gauge",
    name: "kv_record_cache_bytes",
    help: "Memory that the cached records take",
    labels: [],
  },
  damagedRecords: {
    kind: "counter",
    name: "kv_storage_damaged_records_total",
    help: "Stored records found damaged, by what was wrong: own checksum or format, a block that LevelDB cannot read, or a record that was not confirmed before a restart",
    labels: ["reason"],
  },
  quarantinedRecords: {
    kind: "gauge",
    name: "kv_quarantined_records",
    help: "Damaged records that wait to be repaired from their other replicas",
    labels: [],
  },
  recordRepairs: {
    kind: "counter",
    name: "kv_record_repairs_total",
    help: "Attempts to repair a damaged record from its other replicas, by how they ended",
    labels: ["result"],
  },
  diskFree: {
    kind: "gauge",
    name: "kv_disk_free_bytes",
    help: "Free space of the disk that holds the data directory, when it was measured last",
    labels: [],
  },
  diskSize: {
    kind: "gauge",
    name: "kv_disk_size_bytes",
    help: "Size of the disk that holds the data directory",
    labels: [],
  },
  readOnly: {
    kind: "gauge",
    name: "kv_node_read_only",
    help: "1 while the disk is too full for writes of clients",
    labels: [],
  },
  resyncPartitions: {
    kind: "gauge",
    name: "kv_resync_partitions",
    help: "Partitions of this node that may lack what it acknowledged, until they are copied from others",
    labels: [],
  },
  resyncPages: {
    kind: "counter",
    name: "kv_resync_pages_total",
    help: "Pages asked of other replicas to copy partitions; result is ok or the reason of the failure",
    labels: ["peer", "result"],
  },
  resyncRecords: {
    kind: "counter",
    name: "kv_resync_records_total",
    help: "Records copied from other replicas",
    labels: [],
  },
} as const satisfies Record<string, MetricSpec>;

export type MetricName = keyof typeof METRICS;

interface Counter {
  add(amount?: number): void;
}

interface Gauge {
  set(value: number): void;
}

interface Histogram {
  observe(value: number): void;
}

interface Instruments {
  readonly counter: Counter;
  readonly gauge: Gauge;
  readonly histogram: Histogram;
}

/** Instruments by metric; `with` takes the label values in the table's order and may be kept. */
export type Metrics = {
  readonly [K in MetricName]: {
    with(
      ...labels: LabelValues<(typeof METRICS)[K]["labels"]>
    ): Instruments[(typeof METRICS)[K]["kind"]];
  };
};

type LabelValues<L extends readonly string[]> = { readonly [I in keyof L]: string };

export interface Telemetry {
  readonly log: Logger;
  readonly metrics: Metrics;
}
