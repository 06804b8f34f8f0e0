// node --import test/support/mutants/register.mjs …: runs the build with the mutant KV_MUTANT.
// The variable is taken out again, because a node refuses variables that are no options.
import { register } from "node:module";
import process from "node:process";

const name = process.env.KV_MUTANT;
delete process.env.KV_MUTANT;
if (name !== undefined) register("./hooks.mjs", import.meta.url, { data: { name } });
