import { handleBatch } from "./batch-route.ts";
import { handleBucket, handleBuckets } from "./bucket-routes.ts";
import type { BucketRouteModules } from "./bucket-routes.ts";
import type { Exchange } from "./exchange.ts";
import { handleKey } from "./key-routes.ts";
import type { KeyRouteModules } from "./key-routes.ts";
import { handleList } from "./list-route.ts";
import { livez, metrics, readyz, showCluster } from "./node-routes.ts";
import type { NodeRouteModules } from "./node-routes.ts";
import { isListTarget } from "./target.ts";

export type RouteModules = BucketRouteModules & KeyRouteModules & NodeRouteModules;

type Method = "GET" | "HEAD" | "PUT" | "DELETE" | "POST";

export interface Route {
  /** As docs/openapi.yaml writes it. What stands before a "{" is the beginning of its paths. */
  readonly path: string;
  readonly methods: readonly Method[];
  readonly handle: (exchange: Exchange, modules: RouteModules) => Promise<void> | void;
}

const READ = ["GET", "HEAD"] as const;
const ALL = ["GET", "HEAD", "PUT", "DELETE"] as const;

/** The empty key is none: under it stand all keys of the bucket. */
const LIST: Route = { path: "/v1/kv/{bucket}/", methods: READ, handle: handleList };

/** The one table of routes; docs/openapi.yaml describes these and no others. */
export const ROUTES: readonly Route[] = [
  LIST,
  { path: "/v1/kv/{bucket}/{key}", methods: ALL, handle: handleKey },
  { path: "/v1/kv64/{bucket}/{key}", methods: ALL, handle: handleKey },
  { path: "/v1/buckets/{bucket}", methods: ALL, handle: handleBucket },
  { path: "/v1/buckets", methods: READ, handle: handleBuckets },
  { path: "/v1/batch", methods: ["POST"], handle: handleBatch },
  { path: "/v1/cluster", methods: READ, handle: showCluster },
  { path: "/livez", methods: READ, handle: livez },
  { path: "/readyz", methods: READ, handle: readyz },
  { path: "/metrics", methods: READ, handle: metrics },
];

const WHOLE = new Map(ROUTES.map((route) => [route.path, route]));
const BEGINNINGS = ROUTES.filter((route) => route !== LIST && route.path.includes("{")).map(
  (route) => ({
    beginning: route.path.slice(0, route.path.indexOf("{")),
    route,
  }),
);

/** The route of a request target. Whether the rest of it is well formed is for the route to say. */
export function routeOf(url: string): Route | undefined {
  // A plain loop: every request passes here.
  for (const { beginning, route } of BEGINNINGS) {
    if (url.startsWith(beginning)) return isListTarget(url) ? LIST : route;
  }
  const queryAt = url.indexOf("?");
  return WHOLE.get(queryAt < 0 ? url : url.slice(0, queryAt));
}
