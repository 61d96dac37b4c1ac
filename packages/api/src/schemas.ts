import { z } from "zod";

const milliseconds = z.number().meta({ description: "Epoch milliseconds." });
const count = z.int().min(0);
const key = z.string().meta({ description: "`namespace/hostname`.", examples: ["shop/orders.shop.svc.cluster.local"] });
const address = z.string().meta({ description: "`ip:port`, `[ipv6]:port`, `hostname:port` or `unix:path`." });
const labels = z.record(z.string(), z.string());
const health = z.string().meta({ description: "HEALTHY, DEGRADED, UNHEALTHY, DRAINING, TERMINATING or UNKNOWN." });

const finding = z.strictObject({ stage: z.string(), code: z.string(), since: milliseconds });
const port = z.strictObject({
  name: z.string(),
  number: z.int(),
  protocol: z.string(),
  targetPort: z.int().optional(),
});
const locality = z.strictObject({ region: z.string(), zone: z.string(), subzone: z.string() });
const next = z
  .string()
  .optional()
  .meta({ description: "Give it as `after` for the items that follow; absent on the last page." });

const serviceSummary = z.strictObject({
  key,
  hostname: z.string(),
  namespace: z.string(),
  ports: z.array(port),
  registries: z.array(z.string()).meta({ description: "Those that contribute, by precedence." }),
  endpoints: z.strictObject({
    total: count,
    healthy: count.meta({ description: "HEALTHY or of unknown health, with a weight above 0." }),
    standby: count.meta({ description: "With a priority above 0." }),
  }),
});
const instance = z.strictObject({
  service: key,
  address,
  additionalAddresses: z.array(z.string()),
  servicePort: z.string(),
  id: z.string(),
  health,
  weight: count,
  priority: count,
  labels,
  locality,
  network: z.string(),
  tls: z.string(),
  registries: z.array(z.string()),
  objects: z.array(z.string()).meta({ description: "Names in the terms of each registry." }),
  findings: z.array(finding),
});
const service = z.strictObject({
  ...serviceSummary.shape,
  resolution: z.string(),
  addresses: z.array(z.string()),
  labels,
  meshExternal: z.boolean(),
  exportTo: z.array(z.string()),
  versions: z.strictObject({ service: z.string(), instances: z.string() }),
  instances: z.array(instance),
});

const source = z.strictObject({
  id: z.string(),
  state: z.string().meta({ description: "INIT, RESTORED, SYNCED, STALE or EXPIRED." }),
  problem: z.string().optional().meta({ description: "UNREACHABLE, AUTH_FAILED or PROTOCOL_ERROR." }),
  services: count,
  endpoints: count.meta({ description: "Endpoints of the catalog that it knows." }),
  lastCompleteRead: milliseconds.optional(),
  ageMs: z.number().optional(),
  withheld: z.literal(true).optional(),
  deprioritised: z.literal(true).optional(),
  lastError: z.string().optional(),
  restarts: count.optional(),
  rejected: count.optional(),
  unmerged: count.optional(),
});

const drift = z.strictObject({
  service: key,
  registry: z.string(),
  address,
  verdict: z.string(),
  action: z.enum(["none", "report", "deprioritise", "exclude"]),
  since: milliseconds.optional(),
  detail: z.string(),
  workload: z.string().optional(),
});

const withdrawals = z.strictObject({
  mode: z.enum(["dry-run", "delete"]),
  stopped: z
    .strictObject({ at: milliseconds, reason: z.string() })
    .optional()
    .meta({ description: "Nothing more is withdrawn until a person resumes. Absent while they go on." }),
  lastHour: count.meta({ description: "How many were withdrawn in the last hour, or would have been." }),
  maxPerHour: count,
  held: z
    .array(z.strictObject({ registry: z.string(), service: key, listed: count, ghosts: count, reason: z.string() }))
    .meta({
      description: "Services of which nothing is withdrawn although they have ghosts. Counts are of registrations.",
    }),
});

const guard = z.strictObject({
  id: z.string(),
  scope: z.string(),
  registry: z.string(),
  service: key.optional(),
  since: milliseconds,
  removed: count,
  baseline: count,
  held: count,
  holdUntil: milliseconds.optional().meta({ description: "Epoch milliseconds; absent where only a person ends it." }),
  mode: z.string(),
  suspected: z
    .string()
    .optional()
    .meta({ description: "What is likely behind it. `AUTH`: the source may show part of it no longer." }),
});

const override = z.strictObject({
  id: z.string(),
  service: key,
  address,
  action: z.discriminatedUnion("type", [
    z.strictObject({ type: z.literal("hold") }),
    z.strictObject({ type: z.literal("drain") }),
    z.strictObject({ type: z.literal("weight"), weight: count }),
  ]),
  author: z.string(),
  reason: z.string(),
  since: milliseconds,
  until: milliseconds,
});

const ramp = z.strictObject({
  state: z.string(),
  weights: z.record(z.string(), z.number()),
  since: milliseconds.optional(),
  nextStepAt: milliseconds.optional(),
  detail: z.string().optional(),
});
const migrationRow = z.strictObject({
  registry: z.string(),
  address,
  servicePort: z.string(),
  verdict: z.string().optional(),
  outcome: z.string(),
});
const spreadRow = z.strictObject({ value: z.string(), from: count, to: count });
const migration = z.strictObject({
  service: key,
  from: z.string(),
  to: z.string(),
  parity: z.number().min(0).max(1),
  shared: count,
  onlyInFrom: z.array(migrationRow),
  onlyInTo: z.array(migrationRow),
  portDeltas: z.array(z.strictObject({ number: z.int(), from: z.string().optional(), to: z.string().optional() })),
  protocolDeltas: z.array(z.strictObject({ number: z.int(), from: z.string(), to: z.string() })),
  labelDeltas: z.array(
    z.strictObject({ address, label: z.string(), from: z.string().optional(), to: z.string().optional() }),
  ),
  spread: z.strictObject({ version: z.array(spreadRow), zone: z.array(spreadRow) }),
  secondsInParity: count,
  ready: z.boolean(),
  blockers: z.array(z.strictObject({ code: z.string(), detail: z.string() })),
  ramp: ramp.optional(),
});

const collision = z.strictObject({
  registry: z.string(),
  wanted: key,
  winner: z.string().meta({ description: "Who has the name, by the registry's own key." }),
  loser: z.string().meta({ description: "Who has not." }),
  renamed: key.optional().meta({ description: "What it is called instead; absent where it is not in the catalog." }),
});

const share = z.strictObject({ registry: z.string(), weight: z.number() });
const order = z.array(z.string());
const merge = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("union") }),
  z.strictObject({ type: z.literal("prefer"), order }),
  z.strictObject({ type: z.literal("failover"), order }),
  z.strictObject({ type: z.literal("split"), shares: z.array(share), onEmpty: z.enum(["spill", "blackhole"]) }),
  z.strictObject({ type: z.literal("authoritative"), registry: z.string() }),
]);
const candidate = z.strictObject({
  registry: z.string(),
  object: z.string(),
  id: z.string(),
  servicePort: z.string(),
  address,
  reported: z.strictObject({ healthStatus: health, weight: z.number() }),
  served: z.strictObject({ healthStatus: health, weight: z.number(), priority: count }).optional(),
  outcome: z.strictObject({ stage: z.string(), code: z.string(), detail: z.string() }),
  findings: z.array(finding),
});
const departure = z.strictObject({ registry: z.string(), address, servicePort: z.string(), at: milliseconds });
const side = z.strictObject({ registry: z.string(), value: z.unknown() });
const explanation = z.strictObject({
  service: key,
  aliases: z.array(z.string()),
  identities: z.array(z.strictObject({ registry: z.string(), name: z.string(), rule: z.int().optional() })),
  merge,
  unserved: z
    .record(z.string(), z.int())
    .optional()
    .meta({ description: "The part of the traffic that fails, in parts of a million, by service port." }),
  candidates: z.array(candidate),
  conflicts: z.array(z.strictObject({ field: z.string(), kept: side, dropped: side })),
  lints: z.array(z.strictObject({ code: z.string(), detail: z.string() })),
  departures: z.array(departure),
});
const addressExplanation = z.strictObject({
  service: key,
  address: z.string().meta({ description: "As it was asked for, in canonical spelling." }),
  found: z.boolean(),
  candidates: z
    .array(candidate)
    .meta({ description: "One for each registry and service port that has the address, with exactly one outcome." }),
  departures: z.array(departure).meta({ description: "When it left, where that is still known." }),
  hints: z.strictObject({
    services: z.array(key).meta({ description: "Other services that have this address." }),
    addresses: z.array(address).meta({ description: "Addresses of this service that are nearly the same." }),
  }),
});

const journalRow = z.strictObject({
  sequence: count,
  at: milliseconds,
  kind: z.string(),
  detail: z.unknown(),
});

const failure = z.looseObject({
  error: z.string().meta({ description: "What went wrong, for people." }),
  code: z.string().meta({ description: "What went wrong, for programs: SBX_…" }),
});

/** Everything that the API answers with. Keys are the names in the document. */
export const schemas = {
  AddressExplanation: addressExplanation,
  Candidate: candidate,
  Drift: drift,
  DriftList: z.strictObject({ items: z.array(drift) }),
  Failure: failure,
  Guard: guard,
  GuardList: z.strictObject({ items: z.array(guard) }),
  Instance: instance,
  InstanceList: z.strictObject({ items: z.array(instance), next }),
  JournalList: z.strictObject({
    items: z.array(journalRow),
    more: z.boolean().meta({ description: "Whether the range holds more than `limit` entries." }),
  }),
  Migration: migration,
  Override: override,
  OverrideList: z.strictObject({ items: z.array(override) }),
  Ramp: ramp,
  Service: service,
  ServiceExplanation: explanation,
  Collision: collision,
  Withdrawals: withdrawals,
  ServiceList: z.strictObject({
    items: z.array(serviceSummary),
    next,
    collisions: z.array(collision).meta({
      description: "Services of one registry that want a name which another one has; all of them, on every page.",
    }),
  }),
  ServiceSummary: serviceSummary,
  Source: source,
  SourceList: z.strictObject({ items: z.array(source) }),
  Document: z.looseObject({ openapi: z.string() }),
  Explanation: z.union([explanation, addressExplanation]),
} as const;

/** The name of an answer's schema in the document. */
export type SchemaName = keyof typeof schemas;
