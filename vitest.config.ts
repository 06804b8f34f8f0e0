import { defineConfig } from "vitest/config";

/**
 * unit and conformance run in every `npm run verify`; sim runs whole clusters on virtual time; e2e starts real processes and runs one file
 * at a time, because two clusters at once on two cores would measure each other.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/unit/**/*.test.ts"],
          // Whole clusters on virtual time take seconds of a busy machine's processor.
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: "conformance",
          include: ["test/conformance/**/*.test.ts"],
          testTimeout: 20_000,
        },
      },
      { test: { name: "sim", include: ["test/sim/**/*.test.ts"], testTimeout: 1_800_000 } },
      {
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts", "test/jepsen-like/**/*.test.ts"],
          globalSetup: ["test/support/leftovers.ts"],
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
