import type { Stamp } from "../core/hlc.ts";
import type { ActorId } from "../core/ids.ts";

/** Mints stamps that this node never mints again, not even after a crash. */
export interface Stamps {
  readonly actor: ActorId;
  /** The clock as it reads now; nothing is minted. Expiry is judged by it. */
  reading(): Stamp;
  /** Called when a write begins: what minting may have to wait for is then under way. */
  prepare(): void;
  /** Above everything this node minted before. @throws whatever storage throws. */
  mint(): Stamp | Promise<Stamp>;
}
