import { systemClock } from "../../src/node/io/system-clock.ts";
import { VirtualTime } from "../../src/testing/virtual-clock.ts";
import { drain } from "../support/virtual-cluster.ts";
import { clockSuite } from "./clock.suite.ts";

clockSuite("system", () => ({ clock: systemClock, settled: (promise) => promise }));

clockSuite("virtual", () => {
  const time = new VirtualTime({ drain });
  return { clock: time.clock(), settled: (promise) => time.settled(promise) };
});
