/** The limit of the platform: a `node:http` server that reads a request and answers, nothing more. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

const BODY = "x".repeat(100);

const server = createServer((request, response) => {
  request.on("data", () => {});
  request.on("end", () => {
    if (request.url === "/cpu") {
      const { user, system } = process.cpuUsage();
      response.end(String((user + system) / 1e6));
    } else if (request.method === "PUT") {
      response.writeHead(204).end();
    } else {
      response.writeHead(200, { "Content-Type": "text/plain", "Content-Length": 100 }).end(BODY);
    }
  });
});
server.listen(0, "127.0.0.1", () => {
  // A server on a TCP port has an address object.
  console.log((server.address() as AddressInfo).port);
});
