import { mutate } from "./table.mjs";

let mutant = "";

export function initialize({ name }) {
  mutant = name;
}

export async function load(url, context, nextLoad) {
  const loaded = await nextLoad(url, context);
  if (
    !url.startsWith("file:") ||
    loaded.format !== "module" ||
    loaded.source === undefined ||
    loaded.source === null
  )
    return loaded;
  const source = mutate(mutant, url, String(loaded.source));
  return source === undefined ? loaded : { ...loaded, source };
}
