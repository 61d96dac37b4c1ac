import { z } from "zod";
import { duration, durationOrNever } from "./duration.ts";
import { meshSchema } from "./mesh-schema.ts";
import { driftSchema, guardsSchema, identitySchema, servicesSchema } from "./rules-schema.ts";

/** Every default of the configuration file, in one place. */
export const defaults = {
  host: "127.0.0.1",
  plaintextPort: 15010,
  tlsPort: 15012,
  debugPort: 15014,
  admissionPort: 15017,
  quietMs: 50,
  maxMs: 1000,
  endpointsMaxMs: 50,
  syncDeadlineMs: 30_000,
  drainMs: 1000,
  staleAfter: "5m",
  expireAfter: "never",
  onExpired: "keep",
  startPolicy: "proceed-partial",
  restore: "at-deadline",
  saveEvery: "10s",
  busName: "signalbox",
  natsServer: "nats://127.0.0.1:4222",
  redisUrl: "redis://127.0.0.1:6379",
} as const;

const port = z.int().min(0).max(65535);
const host = z.string().min(1);
const milliseconds = z.int().min(0).max(3_600_000);
const registryName = z
  .string()
  .regex(/^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$/, "lower-case letters, digits, '-' and '.', at most 63 characters");

/** A path, as plain text or in the form that secrets use: `{file: path}`. */
const filePath = z.union([z.string().min(1), z.strictObject({ file: z.string().min(1) })]);

const registrySchema = z
  .looseObject({
    provider: z.string().min(1).describe("The kind of source: static, consul, eureka or kubernetes."),
    name: registryName.describe("Names the registry; `<provider>/<name>` must be unique and stable over restarts."),
    staleAfter: durationOrNever
      .default(defaults.staleAfter)
      .describe("Age of the last complete read at which the source counts as stale. It is served on, and marked."),
    expireAfter: durationOrNever
      .default(defaults.expireAfter)
      .describe("Age of the last complete read at which what the source said is expired."),
    onExpired: z
      .enum(["keep", "deprioritise", "drop"])
      .default(defaults.onExpired)
      .describe(
        "What becomes of it until the source is read again: `keep` serves it on, `deprioritise` has clients use it only where nothing fresher is there, `drop` leaves it out.",
      ),
    startPolicy: z
      .enum(["proceed-partial", "proceed-with-restored", "block"])
      .default(defaults.startPolicy)
      .describe(
        "What happens when it has not been read by the sync deadline: serving begins without it, only with what it said before a restart, or not at all.",
      ),
  })
  .describe("One source of services. All other keys belong to the provider; its README lists them.");

const ruleSchema = z
  .strictObject({
    files: z
      .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
      .exactOptional()
      .describe("Files, folders or globs with Istio objects."),
    kubernetes: z
      .unknown()
      .exactOptional()
      .describe("Refused: an entry of `registries` with this provider reads them."),
  })
  .refine((rule) => (rule.files === undefined) !== (rule.kubernetes === undefined), {
    message: "needs exactly one of files, kubernetes",
  })
  .describe("One source of Istio objects.");

const positive = z.int().min(1);

const limitsSchema = z
  .strictObject({
    connections: positive
      .exactOptional()
      .describe("Open connections on one port. Further ones are closed at once. Default 10000."),
    streamsPerConnection: positive.exactOptional().describe("Open streams on one connection. Default 100."),
    maxStreams: positive.exactOptional().describe("Open xDS streams together. Default 20000."),
    maxTypes: positive.exactOptional().describe("Resource types on one stream. Default 32."),
    maxNames: positive.exactOptional().describe("Resource names in one subscription. Default 200000."),
    maxNameBytes: positive.exactOptional().describe("Bytes of one resource name. Default 4096."),
    maxConnectionNames: positive
      .exactOptional()
      .describe("Resource names in all subscriptions of one connection. Default 500000."),
    maxTotalNames: positive
      .exactOptional()
      .describe("Resource names in all subscriptions together; equal subscriptions count once. Default 5000000."),
    nodeBytes: positive
      .exactOptional()
      .describe("Bytes of the node that a client sends with its first request. Default 65536."),
    receiveBytes: positive.exactOptional().describe("Bytes of one message from a client. Default 4194304."),
    partialBytes: positive
      .exactOptional()
      .describe(
        "Bytes of unfinished messages that one connection may hold; all of one counts once an eighth of it has come. Default 16777216.",
      ),
    headerListBytes: positive.exactOptional().describe("Bytes of the request headers of one stream. Default 65536."),
    headers: positive.exactOptional().describe("Number of request headers of one stream. Default 128."),
    handshakeMs: positive.exactOptional().describe("Time for the TLS and HTTP/2 handshakes, each. Default 10000."),
    idleMs: positive.exactOptional().describe("A connection without streams is closed after this time. Default 60000."),
    keepaliveMs: milliseconds
      .exactOptional()
      .describe("A connection that shows no life for so long is pinged; 0 is never. Default 30000."),
    keepaliveTimeoutMs: positive
      .exactOptional()
      .describe("A pinged connection that then shows no life for so long is closed. Default 20000."),
    stuckMs: milliseconds
      .exactOptional()
      .describe("A client that does not read for so long loses its stream; 0 is never. Default 60000."),
    connectionAgeMs: milliseconds
      .exactOptional()
      .describe("Age at which a connection is asked to go, to spread clients over servers; 0 is never. Default 0."),
    connectionGraceMs: positive
      .exactOptional()
      .describe("Time a connection that was asked to go has for unfinished messages. Default 5000."),
  })
  .describe("Bounds on what xDS clients may use. Past one, that client gets an error and the others notice nothing.");

const xdsSchema = z
  .strictObject({
    plaintext: z
      .union([
        z.literal(false),
        z.strictObject({
          host: host.default(defaults.host).describe("Address to listen on."),
          port: port.default(defaults.plaintextPort).describe("Port to listen on; 0 takes a free one."),
        }),
      ])
      .prefault({})
      .describe("xDS without TLS. `false` turns it off."),
    tls: z
      .strictObject({
        host: host.default(defaults.host).describe("Address to listen on."),
        port: port.default(defaults.tlsPort).describe("Port to listen on; 0 takes a free one."),
        cert: filePath.describe("PEM file with the server's certificate chain. Read again when it changes."),
        key: filePath.describe("PEM file with the server's private key. Read again when it changes."),
        ca: filePath.describe("PEM file with the authorities that client certificates must come from."),
        checkNamespace: z
          .boolean()
          .default(true)
          .describe("Refuses clients whose node says another namespace than the SPIFFE id in their certificate."),
      })
      .exactOptional()
      .describe("xDS with mutual TLS. Off unless given."),
    insecure: z
      .boolean()
      .default(false)
      .describe("Allows plaintext xDS on an address that is not loopback. Anyone who reaches it reads the catalog."),
    drainMs: milliseconds
      .default(defaults.drainMs)
      .describe("At shutdown, clients are sent away one by one over so many milliseconds."),
    limits: limitsSchema.prefault({}),
    vhds: z
      .boolean()
      .default(true)
      .describe("Gives Envoys that ask for it (`SIGNALBOX_VHDS`) virtual hosts one by one. `false`: nobody."),
    files: z
      .strictObject({
        dir: z.string().min(1).describe("Folder the resources are written to."),
        node: z.string().min(1).describe("Node id of the Envoy that reads them."),
        metadata: z.record(z.string(), z.json()).default({}).describe("Node metadata of that Envoy."),
      })
      .exactOptional()
      .describe("Also writes one node's resources as files, for Envoy's path-based subscription."),
  })
  .describe("The xDS server.");

const secretsSchema = z
  .strictObject({
    files: z
      .string()
      .min(1)
      .exactOptional()
      .describe("Folder with `<namespace>/<name>/{tls.crt,tls.key,ca.crt,ca.crl}`, as Kubernetes mounts Secrets."),
    kubernetes: z
      .looseObject({
        namespaces: z
          .union([z.string(), z.array(z.string()).min(1)])
          .describe("Namespaces of the routers. Secrets of no other are read."),
      })
      .exactOptional()
      .describe("Secrets of a Kubernetes cluster. All other keys belong to the adapter; its README lists them."),
    insecure: z
      .boolean()
      .default(false)
      .describe("Gives secrets also to routers that do not prove their namespace by a certificate."),
  })
  .refine((secrets) => (secrets.files === undefined) !== (secrets.kubernetes === undefined), {
    message: "needs exactly one of files, kubernetes",
  })
  .describe("Where the certificates are that Gateways and DestinationRules name by `credentialName`.");

const debugSchema = z
  .union([
    z.literal(false),
    z.strictObject({
      host: host.default(defaults.host).describe("Address to listen on."),
      port: port.default(defaults.debugPort).describe("Port to listen on; 0 takes a free one."),
      allowedHosts: z
        .array(z.string().min(1))
        .default([])
        .describe("Host names, besides localhost, by which browsers may call the debug server."),
      profile: z.boolean().default(false).describe("Offers CPU profiles and heap snapshots under /debug/pprof."),
    }),
  ])
  .describe("Health, metrics, the debug API and xDS by REST. `false` turns them off.");

/** A secret: the text itself (from an environment variable, `${NAME}`), or the file that holds it. */
const secret = z.union([z.string().min(1), z.strictObject({ file: z.string().min(1) })]);
/** A secret as the configuration names it. */
export type SecretValue = z.output<typeof secret>;

const busName = z
  .string()
  .regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, "lower-case letters, digits and '-', at most 63 characters")
  .default(defaults.busName)
  .describe("Names the catalog: processes with one name share one. An engine can carry several.");

const busTls = z
  .strictObject({
    ca: filePath
      .exactOptional()
      .describe("PEM file with the authorities that the engine's certificate must come from."),
    cert: filePath.exactOptional().describe("PEM file with a client certificate."),
    key: filePath.exactOptional().describe("PEM file with the key of the client certificate."),
  })
  .describe("TLS to the engine. Without it, what the server's address says.");
/** The certificates for an engine as the configuration names them. */
export type BusTls = z.output<typeof busTls>;

const username = z.string().min(1).exactOptional().describe("Name to log in with.");
const password = secret
  .exactOptional()
  .describe("Password: `${NAME}` or `{file: path}`. A file is read at each connection.");

const busSchema = z
  .discriminatedUnion("type", [
    z
      .strictObject({
        type: z.literal("in-process").default("in-process").describe("Within one process: for `signalbox run`."),
      })
      .describe("No bus between processes."),
    z
      .strictObject({
        type: z.literal("nats").describe("NATS with JetStream."),
        name: busName,
        servers: z
          .array(z.string().min(1))
          .min(1)
          .default([defaults.natsServer])
          .describe("Addresses of NATS servers, as nats://host:port."),
        username,
        password,
        token: secret.exactOptional().describe("Token to log in with."),
        credentials: filePath.exactOptional().describe("File with a JWT and an nkey, as nsc writes it."),
        tls: busTls.exactOptional(),
        replicas: z
          .union([z.literal(1), z.literal(3)])
          .default(1)
          .describe("Copies of the streams in a cluster."),
      })
      .describe("Change events over NATS JetStream."),
    z
      .strictObject({
        type: z.literal("redis").describe("Redis."),
        name: busName,
        url: z
          .string()
          .min(1)
          .default(defaults.redisUrl)
          .describe("Address of the server: redis://host:port/database, or rediss:// for TLS."),
        username,
        password,
        tls: busTls.exactOptional(),
      })
      .describe("Change events over Redis streams."),
  ])
  .describe("The road between discovery and publishers. `type` is `in-process` unless given.");

/** The configuration file. Its input form is what users write; its output form has every default filled in. */
export const configSchema = z
  .strictObject({
    $schema: z.string().exactOptional().describe("Ignored. Lets editors find the JSON Schema."),
    registries: z.array(registrySchema).default([]).describe("Where services come from, most trusted first."),
    rules: z.array(ruleSchema).default([]).describe("Where Istio objects come from."),
    identity: identitySchema,
    services: servicesSchema,
    drift: driftSchema,
    guards: guardsSchema,
    mesh: meshSchema.prefault({}),
    bus: busSchema.prefault({}),
    xds: xdsSchema.prefault({}),
    secrets: secretsSchema.exactOptional(),
    debug: debugSchema.prefault({}),
    journal: z
      .strictObject({
        dir: z.string().min(1).describe("A folder for this process alone. Made when it is missing."),
      })
      .exactOptional()
      .describe("Writes down everything that decides about the catalog, for `signalbox replay`. Off unless given."),
    admission: z
      .strictObject({
        host: host.default(defaults.host).describe("Address to listen on."),
        port: port.default(defaults.admissionPort).describe("Port to listen on; 0 takes a free one."),
        tls: z
          .strictObject({
            cert: filePath.describe("PEM file with the server's certificate chain. Read again when it changes."),
            key: filePath.describe("PEM file with the server's private key. Read again when it changes."),
          })
          .describe("What the API server knows the webhook by."),
      })
      .exactOptional()
      .describe("A validating admission webhook for Istio's kinds, where registries are read. Off unless given."),
    api: z
      .strictObject({
        token: secret
          .exactOptional()
          .describe(
            "What writes must bring as a bearer token: `${NAME}` or `{file: path}`. Without it there are none.",
          ),
        replicas: z
          .int()
          .min(1)
          .default(1)
          .describe(
            "How many processes read these registries, each for clients of its own. With more than one and no bus, writes are refused.",
          ),
      })
      .prefault({})
      .describe("REST under /v1, on the debug port."),
    state: z
      .strictObject({
        dir: z.string().min(1).describe("A folder for this process alone. Made when it is missing."),
        restore: z
          .enum(["at-deadline", "at-once"])
          .default(defaults.restore)
          .describe("When a registry's content from before the restart is served, if the registry is still silent."),
        saveEvery: duration
          .default(defaults.saveEvery)
          .describe("Changed content is saved at most so often, and at shutdown."),
      })
      .exactOptional()
      .describe("Keeps what registries said over restarts. Off unless given."),
    log: z
      .strictObject({
        level: z.enum(["debug", "info", "warn", "error", "silent"]).default("info").describe("Least level to print."),
        format: z
          .enum(["auto", "json", "pretty"])
          .default("auto")
          .describe("`pretty` is for people, `json` for machines; `auto` looks whether a terminal is there."),
      })
      .prefault({})
      .describe("Logs, on standard error."),
    aggregate: z
      .strictObject({
        debounce: z
          .strictObject({
            quietMs: milliseconds.default(defaults.quietMs).describe("Publish once nothing changed for so long."),
            maxMs: milliseconds.default(defaults.maxMs).describe("Publish after so long in any case."),
            endpointsMaxMs: milliseconds
              .default(defaults.endpointsMaxMs)
              .describe(
                "Publish after so long when only endpoints of a service changed, and with them all that waits.",
              ),
          })
          .prefault({})
          .describe("How a storm of changes is gathered. The first change after quiet goes at once."),
        syncDeadlineMs: milliseconds
          .default(defaults.syncDeadlineMs)
          .describe("How long a registry may take to its first snapshot before the others go on without it."),
      })
      .prefault({})
      .describe("How the registries become one catalog."),
  })
  .describe("Configuration of Signalbox.");

/** The configuration as users write it: defaults may be left out. */
export type SignalboxConfigInput = z.input<typeof configSchema>;
/** The configuration with every default filled in. */
export type SignalboxConfig = z.output<typeof configSchema>;
/** One entry of `registries`: its provider and name, and the provider's own keys. */
export type RegistryEntry = SignalboxConfig["registries"][number];

/** The path that a `cert`, `key` or `ca` names, in either of its two forms. */
export function pathOf(value: string | { readonly file: string }): string {
  return typeof value === "string" ? value : value.file;
}
