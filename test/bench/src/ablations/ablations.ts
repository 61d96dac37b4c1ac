import type { Ablation } from "./ablation.ts";

/** What carries the product's figures, one by one. */
export const ablations: readonly Ablation[] = [
  {
    name: "shared-frames",
    what: "one frame for all clients that are sent the same",
    edits: [
      {
        file: "xds-server/dist/protocol/view-state.js",
        find: "if (cached !== undefined && !nonces.inUse(cached.nonce))",
        put: "if (false)",
      },
    ],
    looks: [
      { cell: "rule", figure: "CPU per change" },
      { cell: "sync-restart", figure: "sync, CPU per MB" },
      { cell: "endpoint-1000", figure: "CPU per change" },
    ],
  },
  {
    name: "shared-first-answers",
    what: "what a new client is owed, worked out once for equal subscriptions",
    edits: [
      {
        file: "xds-server/dist/protocol/delta.js",
        find: "if (sub.filter !== undefined || sub.pending.size > 0",
        put: "if (true || sub.pending.size > 0",
      },
      {
        file: "xds-server/dist/protocol/subscription.js",
        find: "if (this.filter !== undefined)\n            return this.existing();\n        if (this.wildcard)",
        put: "if (true)\n            return this.existing();\n        if (this.wildcard)",
      },
    ],
    looks: [{ cell: "sync-restart", figure: "sync, CPU per MB" }],
  },
  {
    name: "shared-names",
    what: "equal lists of names parsed and kept once",
    edits: [
      {
        file: "xds-server/dist/protocol/request.js",
        find: "const sharedRunBytes = 1_024",
        put: "const sharedRunBytes = Infinity",
      },
    ],
    looks: [{ cell: "sync-restart", figure: "sync, CPU per MB" }],
  },
  {
    name: "shared-warming",
    what: "names that clients warm, shared until a client takes its own step",
    edits: [
      {
        file: "xds-server/dist/protocol/warming.js",
        find: "const sharedClusters = 64",
        put: "const sharedClusters = Infinity",
      },
    ],
    looks: [{ cell: "sync-restart", figure: "sync, CPU per MB" }],
  },
  {
    name: "no-copies",
    what: "a message goes to HTTP/2 as windows on shared bytes, never copied",
    edits: [
      {
        file: "xds-server/dist/http2/grpc-stream.js",
        find: "const window = chunk.subarray(write.offset, write.offset + room);",
        put: "const window = Buffer.from(chunk.subarray(write.offset, write.offset + room));",
      },
    ],
    looks: [
      { cell: "rule", figure: "CPU per change" },
      { cell: "sync-restart", figure: "sync, CPU per MB" },
    ],
  },
  {
    name: "encoded-hosts",
    what: "virtual hosts of a table stay encoded",
    edits: [
      {
        file: "xds/dist/encoded-parts.js",
        find: "if (bytes === undefined) {\n            const { hostname }",
        put: "if (true) {\n            const { hostname }",
      },
      {
        file: "xds/dist/route-table.js",
        find: "return (stored.part ??= pieceOfHost(",
        put: "return (stored.part = pieceOfHost(",
      },
    ],
    looks: [{ cell: "rule", figure: "CPU per change" }],
  },
  {
    name: "vhds",
    what: "virtual hosts one by one, for Envoys that ask for it",
    edits: [
      {
        file: "xds/dist/vhds/envoy-version.js",
        find: 'if (node["userAgentName"] !== "envoy")',
        put: "if (true)",
      },
    ],
    looks: [{ cell: "rule-vhds", figure: "bytes per change and client" }],
  },
  {
    name: "rest-of-large-requests",
    what: "large requests that come together are read on in turns",
    edits: [
      {
        file: "xds-server/dist/http2/grpc-stream.js",
        find: "this.#inbox.empty && this.#context.turns.isSpent()",
        put: "false",
      },
    ],
    looks: [{ cell: "loop-rules-100", figure: "longest slice, clients come" }],
  },
  {
    name: "arrivals",
    what: "clients that come together are let in a few at a time",
    edits: [
      {
        file: "xds-server/dist/http2/listener.js",
        find: "const plaintextArrivals = { max: 64",
        put: "const plaintextArrivals = { max: Infinity",
      },
    ],
    looks: [{ cell: "loop-clients", figure: "longest slice, clients come" }],
  },
  {
    name: "turns",
    what: "requests and writes take turns of 3 ms",
    edits: [
      { file: "xds-server/dist/turns.js", find: "export const turnMs = 3", put: "export const turnMs = Infinity" },
      {
        file: "xds-server/dist/turns.js",
        find: "return worked >= this.#ms || this.#loop.isFull(worked);",
        put: "return worked >= this.#ms;",
      },
    ],
    looks: [
      { cell: "event-loop", figure: "event loop delay, longest" },
      { cell: "event-loop", figure: "longest slice, clients come" },
    ],
  },
  {
    name: "slices",
    what: "large work is done in slices of 4 ms",
    edits: [
      { file: "slices/dist/slices.js", find: "const sliceMs = 4", put: "const sliceMs = Infinity" },
      { file: "slices/dist/loop-turn.js", find: "const turnMs = 4", put: "const turnMs = Infinity" },
    ],
    looks: [
      { cell: "loop-10000", figure: "longest slice, start" },
      { cell: "loop-10000", figure: "longest slice, clients come" },
      { cell: "loop-10000", figure: "longest slice, changes" },
    ],
  },
  {
    name: "shared-turn",
    what: "all stages share one turn of the event loop",
    edits: [{ file: "slices/dist/loop-turn.js", find: "const turnMs = 4", put: "const turnMs = Infinity" }],
    looks: [
      { cell: "loop-10000", figure: "longest slice, clients come" },
      { cell: "loop-10000", figure: "longest slice, changes" },
    ],
  },
  {
    name: "streams-in-steps",
    what: "a large change, or another view, is taken into subscriptions in steps",
    edits: [
      {
        file: "xds-server/dist/protocol/view-changes.js",
        find: "return (this.#taking !== undefined || this.#unread.some(",
        put: "return (this.#unread.length < 0 && this.#unread.some(",
      },
      {
        file: "xds-server/dist/protocol/view-changes.js",
        find: "const much = this.#shared.inSlices && (",
        put: "const much = false && (",
      },
    ],
    looks: [
      { cell: "loop-10000", figure: "longest slice, changes" },
      { cell: "loop-files", figure: "longest slice, clients come" },
    ],
  },
  {
    name: "chunks",
    what: "a response of more than a megabyte is chunks, not one array",
    edits: [
      {
        file: "xds-server/dist/protocol/frame.js",
        find: "const blockBytes = 1024 * 1024",
        put: "const blockBytes = Infinity",
      },
    ],
    looks: [
      { cell: "loop-rules", figure: "longest slice, clients come" },
      { cell: "loop-rules", figure: "longest slice, changes" },
    ],
  },
  {
    name: "endpoints-soon",
    what: "changes of endpoints are gathered for 50 ms at most",
    edits: [
      {
        file: "aggregate/dist/debounce.js",
        find: "const gathered = Math.min(this.#last + quietMs, endpoints + endpointsMaxMs);",
        put: "const gathered = this.#last + quietMs;",
      },
    ],
    looks: [{ cell: "storm", figure: "change to client, p99" }],
  },
  {
    name: "known-documents",
    what: "documents and items whose text did not change are not parsed again",
    edits: [
      {
        file: "files/dist/document-reader.js",
        find: "new Memory(this.#text, this.#known)",
        put: 'new Memory("", [])',
      },
    ],
    looks: [{ cell: "files-one", figure: "CPU per change" }],
  },
  {
    name: "rare-loop-samples",
    what: "the loop's delay is sampled every 50 ms for the metrics, not 10",
    edits: [{ file: "debug/dist/metrics.js", find: "const loopSampleMs = 50", put: "const loopSampleMs = 10" }],
    looks: [{ cell: "endpoint-1000", figure: "CPU per change" }],
  },
  {
    name: "compared-acknowledgements",
    what: "names of an acknowledgement of the state of the world, compared as bytes",
    edits: [
      {
        file: "xds-server/dist/protocol/request.js",
        find: "return Buffer.compare(bytes.subarray(start, start + run.length), run) === 0;",
        put: "return false;",
      },
    ],
    looks: [{ cell: "endpoint-1000-orders", figure: "CPU per change" }],
  },
];
