import { KvError } from "../../core/errors.ts";
import { CliError, EXIT } from "../exit-code.ts";

/** What the question comes to; whoever does not know it gets a word about whom to ask instead. */
export async function askNode<T>(question: Promise<T>): Promise<T> {
  try {
    return await question;
  } catch (error) {
    if (!(error instanceof KvError)) throw error;
    if (error.code !== "route-not-found" && error.code !== "parameter-invalid") throw error;
    throw new CliError(
      EXIT.usage,
      `this endpoint does not explain keys: ${error.message}`,
      "Proxies do not pass it on and older nodes do not know it: name the client port of a node with -e.",
    );
  }
}
