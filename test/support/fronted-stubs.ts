import { expect, onTestFinished } from "vitest";
import { ERRORS } from "../../src/core/errors.ts";
import type { ErrorCode } from "../../src/core/errors.ts";
import { startFront } from "./front.ts";
import type { Front, FrontOptions, FrontProgram } from "./front.ts";
import type { RawResponse } from "./raw-http.ts";
import { startStubNode } from "./stub-node.ts";
import type { Answer, Behaviour, Delivery, StubNode } from "./stub-node.ts";

const READY: Answer = { status: 200 };

export interface FrontedStubs {
  readonly front: Front;
  readonly port: number;
  readonly nodes: readonly [StubNode, StubNode, StubNode];
  /** Every request that reached any node, in order, but for questions whether it is ready. */
  readonly deliveries: readonly Delivery[];
}

/** `nth` counts the deliveries of one request: 1 is the first try, 2 the second. */
export type Behave = (delivery: Delivery, nth: number) => Behaviour;

/** The real proxy before three stub nodes that all answer by `behave`, until the test ends. */
export async function frontStubs(
  program: FrontProgram,
  behave: Behave,
  options: Omit<FrontOptions, "upstreams"> = {},
): Promise<FrontedStubs> {
  const deliveries: Delivery[] = [];
  const tries = new Map<string, number>();
  const receive = (delivery: Delivery): Behaviour => {
    if (delivery.target === "/readyz") return READY;
    deliveries.push(delivery);
    const request = String(delivery.headers["kv-request-id"]);
    const nth = (tries.get(request) ?? 0) + 1;
    tries.set(request, nth);
    return behave(delivery, nth);
  };
  const nodes = [
    await startStubNode(receive),
    await startStubNode(receive),
    await startStubNode(receive),
  ] as const;
  onTestFinished(async () => {
    for (const node of nodes) await node.close();
  });
  const [kv1, kv2, kv3] = nodes;
  const front = await startFront(program, {
    ...options,
    upstreams: [kv1.address, kv2.address, kv3.address],
  });
  onTestFinished(() => front.stop());
  return { front, port: front.port, nodes, deliveries };
}

/** Expects the proxy's own problem document for `code`, in agreement with the table of errors. */
export function expectProblem(
  response: RawResponse,
  code: ErrorCode,
  members: Readonly<Record<string, unknown>> = {},
): void {
  const { status, title, outcome, retry } = ERRORS[code];
  expect(response.status).toBe(status);
  expect(response.headers["content-type"]).toBe("application/problem+json");
  expect(JSON.parse(response.body)).toEqual({
    type: `/docs/errors.md#${code}`,
    title,
    status,
    detail: expect.stringMatching(/./),
    instance: response.headers["kv-request-id"],
    code,
    outcome,
    retry,
    ...members,
  });
}
