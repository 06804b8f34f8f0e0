import { describe, expect, test } from "vitest";
import { ActorTrust } from "../../../src/coordinator/actor-trust.ts";

describe("the trust in an actor", () => {
  test("needs no renewal until it is lost, and one for all who wait", async () => {
    let renewals = 0;
    const trust = new ActorTrust(async () => {
      renewals += 1;
    });
    await trust.restored();
    expect([trust.isTrusted, renewals]).toEqual([true, 0]);
    trust.lose();
    expect(trust.isTrusted).toBe(false);
    await Promise.all([trust.restored(), trust.restored()]);
    expect([trust.isTrusted, renewals]).toEqual([true, 1]);
  });

  test("that is lost while it is renewed is renewed again before anybody goes on", async () => {
    let renewals = 0;
    const trust = new ActorTrust(async () => {
      renewals += 1;
      if (renewals === 1) trust.lose();
    });
    trust.lose();
    await trust.restored();
    expect(renewals).toBe(2);
  });

  test("stays lost when the new actor could not be stored", async () => {
    const trust = new ActorTrust(() => Promise.reject(new Error("the disk is full")));
    trust.lose();
    await expect(trust.restored()).rejects.toThrow("the disk is full");
    expect(trust.isTrusted).toBe(false);
  });
});
