import type { Server } from "node:net";
import { addressText } from "../../core/config.ts";
import type { Address } from "../../core/config.ts";
import { KvError } from "../../core/errors.ts";

/** @throws KvError `address-in-use`, `option-invalid` when the address is not this machine's. */
export function listen(server: Server, address: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => {
      const code = "code" in error ? error.code : undefined;
      const detail = `${addressText(address)}: ${error.message}`;
      const inUse = code === "EADDRINUSE";
      reject(
        new KvError(inUse ? "address-in-use" : "option-invalid", detail, {}, { cause: error }),
      );
    });
    server.listen(address.port, address.host, () => {
      server.removeAllListeners("error");
      resolve();
    });
  });
}

/** Resolves when the server's last connection is gone; the caller ends those that would stay. */
export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    if (server.listening) server.close(() => resolve());
    else resolve();
  });
}
