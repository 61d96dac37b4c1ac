// Who may import whom. The folder names read as the pipeline: adapters → registry → aggregate → event-bus → xds → xds-server.
// Every package must have a row: test/repository.test.ts fails when one is missing.
const mayImport = {
  "packages/model": [],
  "packages/slices": [],
  "packages/registry": ["packages/model"],
  "packages/istio-objects": ["packages/model"],
  "packages/files": ["packages/slices"],
  "packages/event-bus": ["packages/model"],
  "packages/policy": ["packages/model"],
  "packages/journal": ["packages/model", "packages/slices"],
  "packages/aggregate": [
    "packages/model",
    "packages/registry",
    "packages/policy",
    "packages/event-bus",
    "packages/slices",
  ],
  "packages/envoy-api": [],
  "packages/xds-server": ["packages/envoy-api", "packages/slices"],
  "packages/traffic": ["packages/model", "packages/istio-objects", "packages/slices"],
  "packages/xds": [
    "packages/model",
    "packages/event-bus",
    "packages/slices",
    "packages/istio-objects",
    "packages/traffic",
    "packages/envoy-api",
    "packages/xds-server",
  ],
  "packages/debug": ["packages/model", "packages/slices"],
  "packages/api": ["packages/model", "packages/policy"],
  "packages/signalbox": ["packages/[^/]+", "adapters/[^/]+"],
  "packages/http-client": [],
  "adapters/consul": ["packages/model", "packages/registry", "packages/http-client"],
  "adapters/eureka": ["packages/model", "packages/registry", "packages/http-client"],
  "adapters/kubernetes": [
    "packages/model",
    "packages/registry",
    "packages/http-client",
    "packages/istio-objects",
    "packages/files",
  ],
  "adapters/static": [
    "packages/model",
    "packages/registry",
    "packages/istio-objects",
    "packages/files",
    "packages/slices",
  ],
};

const pipeline = Object.entries(mayImport).map(([folder, allowed]) => ({
  name: `imports-of-${folder.replace("/", "-")}`,
  comment: `${folder} may import: ${allowed.join(", ") || "no other package"}`,
  severity: "error",
  from: { path: `^${folder}/` },
  to: { path: "^(packages|adapters|test)/", pathNot: `^(${[folder, ...allowed].join("|")})/` },
}));

module.exports = {
  forbidden: [
    ...pipeline,
    { name: "no-circular", severity: "error", from: {}, to: { circular: true } },
    {
      name: "adapters-lazily",
      comment: "the product loads adapters by import() from its one table",
      severity: "error",
      from: { path: "^packages/signalbox/", pathNot: "^packages/signalbox/src/builtin\\.ts$" },
      to: { path: "^adapters/", dependencyTypesNot: ["type-only"] },
    },
    {
      name: "tests-use-public-entry-points",
      severity: "error",
      from: { path: "^test/" },
      to: {
        path: "^(packages|adapters)/[^/]+/src/",
        pathNot: "/src/(index|(conformance|nats|redis|sockets)/index|gen/.+_pb)\\.ts$",
      },
    },
    {
      name: "no-dev-dependency-in-product",
      severity: "error",
      from: { path: "^(packages|adapters)/[^/]+/src/", pathNot: "(\\.test\\.ts|/conformance/|/testing/)" },
      to: { dependencyTypes: ["npm-dev"] },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "(/dist/|/src/gen/)" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.base.json" },
    enhancedResolveOptions: { conditionNames: ["@signalbox/source", "import", "default"], exportsFields: ["exports"] },
  },
};
