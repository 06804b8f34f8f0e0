import { AssertionError } from "../../../../src/core/assert.ts";
import { DecodeError } from "../../../../src/core/codec.ts";
import { KvError } from "../../../../src/core/errors.ts";

export type Outcome<T> = { readonly value: T } | { readonly error: string };

/** What `act` returns, or by what code or name it refuses; an error of any other kind rises. */
export function outcomeOf<T>(act: () => T): Outcome<T> {
  try {
    return { value: act() };
  } catch (error) {
    if (error instanceof KvError) return { error: error.code };
    if (error instanceof DecodeError || error instanceof AssertionError) {
      return { error: error.name };
    }
    throw error;
  }
}

/** The error that `act` throws; fails when it throws none. */
export function thrownBy(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  throw new Error("expected it to throw");
}
