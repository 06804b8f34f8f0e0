import { request } from "node:http";
import type { Agent, IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";

export interface RawResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface RawRequest {
  readonly port: number;
  readonly method?: string;
  /** Sent as it stands: `fetch` and `URL` would rewrite `..` and `//`. */
  readonly target: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Uint8Array;
  /** Without one, the request has a connection of its own. */
  readonly agent?: Agent;
  readonly signal?: AbortSignal;
}

export async function send(options: RawRequest): Promise<RawResponse> {
  const { port, method = "GET", target, headers = {}, body, agent = false, signal } = options;
  const host = "127.0.0.1";
  const outgoing = request({ host, port, method, path: target, headers, agent, signal });
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once("response", resolve).on("error", reject);
  });
  outgoing.end(body);
  const incoming = await answered;
  return {
    status: incoming.statusCode ?? 0,
    headers: incoming.headers,
    body: await text(incoming),
  };
}

/** Writes bytes that need not be HTTP and collects everything until the other side closes. */
export async function sendBytes({
  port,
  bytes,
}: {
  port: number;
  bytes: string;
}): Promise<RawResponse> {
  const socket = connect(port, "127.0.0.1");
  socket.write(bytes, "latin1");
  return parseRaw(await text(socket));
}

/** One answer, as it came. */
export function parseRaw(answer: string): RawResponse {
  const [head = "", body = ""] = answer.split("\r\n\r\n", 2);
  const [statusLine = "", ...lines] = head.split("\r\n");
  return {
    status: Number(statusLine.split(" ")[1]),
    headers: Object.fromEntries(
      lines.map((line) => {
        const colon = line.indexOf(":");
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
      }),
    ),
    body,
  };
}
