import { parsePeers } from "../../../../src/core/config.ts";
import type { BucketChange } from "../../../../src/core/layout/bucket-change.ts";
import { firstClusterDocument } from "../../../../src/core/layout/cluster-document.ts";
import type { ClusterDocument } from "../../../../src/core/layout/cluster-document.ts";
import { HttpApi } from "../../../../src/node/io/http/http-api.ts";
import type { HttpApiOptions } from "../../../../src/node/io/http/http-api.ts";
import type { SystemTelemetry } from "../../../../src/node/io/telemetry.ts";
import type { MemberView, NodeView } from "../../../../src/ports/node-view.ts";
import type { Operations } from "../../../../src/ports/operations.ts";
import { RecordingTelemetry } from "../../../../src/testing/recording-telemetry.ts";

const MEMBERS = new Map<string, MemberView>([
  ["n1", { state: { kind: "self" }, clockOffset: undefined }],
  ["n2", { state: { kind: "connected" }, clockOffset: { offsetMs: -2_000.4, errorMs: 2 } }],
  ["n3", { state: { kind: "suspect", reason: "it is silent" }, clockOffset: undefined }],
]);

/** The client port of n1, one of three, on a port of its own, with operations of the test's own. */
export function openApi(given: {
  readonly options?: Partial<HttpApiOptions>;
  readonly operations?: Partial<Operations>;
  readonly view?: Partial<NodeView>;
  readonly telemetry?: RecordingTelemetry;
  readonly scrape?: SystemTelemetry["scrape"];
  readonly changeBucket?: (change: BucketChange) => Promise<ClusterDocument>;
}): Promise<HttpApi> {
  const { log, metrics } = given.telemetry ?? new RecordingTelemetry();
  const nothing = () => Promise.resolve({ body: "", contentType: "text/plain" });
  const scrape = given.scrape ?? nothing;
  return HttpApi.open(
    {
      address: { host: "127.0.0.1", port: 0 },
      clientConnectionsMax: 10,
      clientHeadersTimeoutMs: 10_000,
      clientRequestTimeoutMs: 60_000,
      clientIdleTimeoutMs: 75_000,
      requestTimeoutMaxMs: 30_000,
      ...given.options,
    },
    {
      operations: {
        read: () => Promise.reject(new Error("nobody reads")),
        write: () => Promise.reject(new Error("nobody writes")),
        list: () => Promise.reject(new Error("nobody lists")),
        batch: () => Promise.reject(new Error("nobody batches")),
        caughtUp: () => undefined,
        locate: () => {
          throw new Error("nobody locates");
        },
        explain: () => Promise.reject(new Error("nobody explains")),
        ...given.operations,
      },
      changeBucket:
        given.changeBucket ?? (() => Promise.reject(new Error("nobody changes buckets"))),
      view: {
        id: "n1",
        clusterId: "c1",
        version: "0.0.0",
        state: "ready",
        document: firstClusterDocument(parsePeers("n1=h1:1,n2=h2:2,n3=h3:3")),
        clockOffsetMaxMs: 500,
        clockProblem: undefined,
        resync: undefined,
        member: (node) => MEMBERS.get(node) ?? { state: { kind: "self" }, clockOffset: undefined },
        bucket: () => undefined,
        ...given.view,
      },
      telemetry: { log, metrics, onScrape: () => {}, scrape, flush: () => {} },
    },
  );
}

/** Over a socket that is closed after the answer. */
export function fetchFrom(api: HttpApi, path: string, init: RequestInit = {}): Promise<Response> {
  const { host, port } = api.address;
  const headers = { connection: "close", ...(init.headers as Record<string, string>) };
  return fetch(`http://${host}:${port}${path}`, { redirect: "manual", ...init, headers });
}
