/**
 * Inside a simulation nothing may touch the machine's own time, chance or network: each of these
 * would make a seed irreproducible without anybody noticing.
 */
export function armTripwires(): void {
  const trap = (name: string) => (): never => {
    throw new Error(`a simulated program called ${name}: it must use its ports`);
  };
  for (const name of [
    "setTimeout",
    "setInterval",
    "setImmediate",
    "queueMicrotask",
    "fetch",
  ] as const) {
    Object.defineProperty(globalThis, name, { value: trap(name), configurable: true });
  }
  Math.random = trap("Math.random");
  Date.now = trap("Date.now");
  performance.now = trap("performance.now");
  crypto.getRandomValues = trap("crypto.getRandomValues");
  crypto.randomUUID = trap("crypto.randomUUID");
}
