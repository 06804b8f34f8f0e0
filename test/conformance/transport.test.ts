import type { NodeId } from "../../src/core/ids.ts";
import type { Member } from "../../src/core/layout/layout.ts";
import type { Transport } from "../../src/ports/transport.ts";
import { systemClock } from "../../src/node/io/system-clock.ts";
import { InProcessNetwork } from "../../src/testing/in-process-network.ts";
import { InProcessTransport } from "../../src/testing/in-process-transport.ts";
import { RecordingTelemetry } from "../../src/testing/recording-telemetry.ts";
import { VirtualTime } from "../../src/testing/virtual-clock.ts";
import { drain } from "../support/virtual-cluster.ts";
import { membersOnLoopback, openPeer, until } from "./support/peers.ts";
import { transportSuite } from "./transport.suite.ts";

transportSuite("in process", async (_nodes, limits) => {
  const time = new VirtualTime({ drain });
  const network = new InProcessNetwork({ fate: () => [1] });
  const telemetries = new Map<NodeId, RecordingTelemetry>();
  return {
    async start(node, handler) {
      const telemetry = telemetries.get(node) ?? new RecordingTelemetry();
      telemetries.set(node, telemetry);
      const options = { ...limits, peerReconnectDelayMs: 20 };
      const clock = time.clock();
      return InProcessTransport.open(node, options, { network, clock, telemetry, handler });
    },
    refusals: (node, bound) => telemetries.get(node)?.count("refused", bound) ?? 0,
    now: () => time.now(),
    until: (_what, condition) => time.runUntil(condition),
    close: () => Promise.resolve(),
  };
});

transportSuite("sockets", async (nodes, limits) => {
  const members = await membersOnLoopback(nodes);
  const opened: Transport[] = [];
  const telemetries = new Map<NodeId, RecordingTelemetry>();
  return {
    async start(node, handler) {
      const member = members.find(({ id }) => id === node) as Member;
      const { transport, telemetry } = await openPeer(member, members, { ...limits, handler });
      opened.push(transport);
      telemetries.set(node, telemetry);
      return transport;
    },
    refusals: (node, bound) => telemetries.get(node)?.count("refused", bound) ?? 0,
    now: () => systemClock.now(),
    until,
    close: async () => {
      for (const transport of opened) await transport.close();
    },
  };
});
