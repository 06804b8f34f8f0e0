import { systemRng } from "../../src/node/io/system-rng.ts";
import { SeededRng } from "../../src/testing/seeded-rng.ts";
import { rngSuite } from "./rng.suite.ts";

rngSuite("system", systemRng);
rngSuite("seeded", () => new SeededRng(4711));
