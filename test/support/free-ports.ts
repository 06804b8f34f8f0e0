import { createServer } from "node:net";

/** Below the range from which systems take the ports of outgoing connections, so a node that is
 * down keeps its ports: no client's connection can take them meanwhile. */
const PORT_MIN = 12_000;
const PORT_MAX = 30_000;
const TRIES_MAX = 1_000;

/** Ports of loopback on which nobody listens now, drawn at random. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const ports = new Set<number>();
  for (let tries = 0; ports.size < count; tries += 1) {
    if (tries > TRIES_MAX) throw new Error("there are no free ports");
    const port = PORT_MIN + Math.floor(Math.random() * (PORT_MAX - PORT_MIN));
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
