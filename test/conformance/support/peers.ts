import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { vi } from "vitest";
import type { ClusterId, NodeId } from "../../../src/core/ids.ts";
import { parseClusterId } from "../../../src/core/ids.ts";
import { FIRST_EPOCH_NUMBER, Layout } from "../../../src/core/layout/layout.ts";
import type { Member } from "../../../src/core/layout/layout.ts";
import { payloadBytesMax } from "../../../src/core/messages/request.ts";
import type { RequestHandler } from "../../../src/ports/transport.ts";
import { PeerTransport } from "../../../src/node/io/peer/peer-transport.ts";
import type { PeerTransportOptions } from "../../../src/node/io/peer/peer-transport.ts";
import { systemClock } from "../../../src/node/io/system-clock.ts";
import { systemRng } from "../../../src/node/io/system-rng.ts";
import { RecordingTelemetry } from "../../../src/testing/recording-telemetry.ts";

/** The longest wait for something that happens on real sockets; far more than it takes. */
const SOCKET_WAIT_MS = 8_000;
const POLL_MS = 2;

export const CLUSTER: ClusterId = parseClusterId("conformance");
export const VALUE_BYTES_MAX = 1024 * 1024;

/** Waits for what real sockets will bring about. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const check = (): void => {
    if (!condition()) throw new Error(`it did not come about that ${what}`);
  };
  await vi.waitFor(check, { timeout: SOCKET_WAIT_MS, interval: POLL_MS });
}

/** Members on loopback ports that were free a moment ago. */
export async function membersOnLoopback(ids: readonly NodeId[]): Promise<readonly Member[]> {
  const servers = ids.map(() => createServer());
  for (const server of servers) {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  }
  const members = servers.map((server, i): Member => {
    const { port } = server.address() as AddressInfo;
    return { id: ids[i] as NodeId, zone: undefined, address: { host: "127.0.0.1", port } };
  });
  for (const server of servers) {
    server.close();
    await once(server, "close");
  }
  return members;
}

type Options = Partial<Omit<PeerTransportOptions, "identity">> & {
  readonly clusterId?: ClusterId;
  readonly secret?: string | undefined;
};

export interface OpenPeer extends AsyncDisposable {
  readonly transport: PeerTransport;
  readonly telemetry: RecordingTelemetry;
}

/** A real transport of the first or a later member, with short times unless told otherwise. */
export async function openPeer(
  member: Member,
  members: readonly Member[],
  opts: Options & { readonly handler?: RequestHandler } = {},
): Promise<OpenPeer> {
  const { handler = () => {}, clusterId = CLUSTER, secret, ...options } = opts;
  const telemetry = new RecordingTelemetry();
  const { epoch } = new Layout({ number: FIRST_EPOCH_NUMBER, members });
  const transport = await PeerTransport.open(
    {
      identity: { id: member.id, clusterId, epoch, secret },
      address: member.address,
      members,
      payloadBytesMax: payloadBytesMax(VALUE_BYTES_MAX),
      peerQueueBytesMax: 64 * 1024 * 1024,
      peerInFlightMax: 1_000,
      peerConnectTimeoutMs: 2_000,
      peerSilenceMs: 1_000,
      peerReconnectDelayMs: 5,
      ...options,
    },
    { clock: systemClock, rng: systemRng(), telemetry, handler },
  );
  return { transport, telemetry, [Symbol.asyncDispose]: () => transport.close() };
}
