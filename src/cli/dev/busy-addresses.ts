import { createServer } from "node:net";
import type { Address } from "../../core/config.ts";

/** Those of the addresses on which this process could not listen now. */
export async function busyAddresses(addresses: readonly Address[]): Promise<readonly Address[]> {
  const free = await Promise.all(addresses.map(canListen));
  return addresses.filter((_, index) => free[index] === false);
}

function canListen({ host, port }: Address): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
