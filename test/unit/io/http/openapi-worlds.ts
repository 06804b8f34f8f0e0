import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { OptionName } from "../../../../src/core/config.ts";
import { defaultBucketProperties } from "../../../../src/core/bucket-properties.ts";
import { parseConfig } from "../../../../src/core/parse-config.ts";
import { startNode } from "../../../../src/node/main.ts";
import { openApi } from "./api.ts";

export interface World extends AsyncDisposable {
  readonly port: number;
}

const ALONE = "n1=127.0.0.1:1";
/** Nobody listens where its peers should be. */
const LONELY = `${ALONE},n2=127.0.0.1:2,n3=127.0.0.1:3`;

/** A whole node of this process: real disk, real clock, real sockets. */
export async function realNode(options: Partial<Record<OptionName, string>> = {}): Promise<World> {
  const data = await mkdtemp(join(tmpdir(), "quorate-openapi-"));
  const texts = {
    id: "n1",
    peers: ALONE,
    data,
    listen: "127.0.0.1:0",
    peerListen: "127.0.0.1:0",
    logLevel: "error",
    ...options,
  };
  const flags = new Map(Object.entries(texts));
  const node = await startNode(parseConfig({ flags, variables: new Map(), file: new Map() }));
  return {
    port: node.clientAddress.port,
    async [Symbol.asyncDispose]() {
      await node.stop();
      await rm(data, { recursive: true, force: true });
    },
  };
}

/** One of three; the others are down. */
export function lonelyNode(): Promise<World> {
  return realNode({ peers: LONELY });
}

/** Its disk counts as full from the start. */
export function fullNode(): Promise<World> {
  return realNode({ diskFreeBytesMin: String(2 ** 40) });
}

/** The client port alone, before operations that all fail with this error. */
export async function failing(error: unknown, clockProblem?: string): Promise<World> {
  const fail = () => Promise.reject(error);
  const broken = {
    toJSON() {
      throw error;
    },
  };
  const api = await openApi({
    operations: {
      read: fail,
      write: fail,
      explain: fail,
      list: fail,
      batch: fail,
      caughtUp: fail,
    },
    changeBucket: fail,
    scrape: fail,
    // Whoever tells of them fails.
    view: {
      state: clockProblem === undefined ? (broken as never) : "ready",
      clockProblem,
      clusterId: broken as never,
      bucket: () => defaultBucketProperties(1),
    },
  });
  return { port: api.address.port, [Symbol.asyncDispose]: () => api.drain() };
}
