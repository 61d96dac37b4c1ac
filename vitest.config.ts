import { defineConfig } from "vitest/config";

const conditions = ["@signalbox/source", "node", "import", "default"];
const shared = { resolve: { conditions }, ssr: { resolve: { conditions, externalConditions: conditions } } };

export default defineConfig({
  test: {
    projects: [
      {
        ...shared,
        test: {
          name: "unit",
          // Some tests start processes or real servers of their own; a busy machine must not fail them.
          testTimeout: 20_000,
          include: ["packages/*/src/**/*.test.ts", "adapters/*/src/**/*.test.ts", "test/repository/src/*.test.ts"],
        },
      },
      {
        ...shared,
        test: { name: "feature", include: ["test/feature/src/**/*.test.ts"], testTimeout: 30_000 },
      },
      {
        ...shared,
        test: {
          name: "conformance",
          include: ["test/conformance/src/**/*.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 300_000,
        },
      },
      {
        ...shared,
        test: {
          name: "e2e",
          include: ["test/e2e/src/**/*.test.ts", "test/servers/src/**/*.test.ts", "test/bench/src/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
