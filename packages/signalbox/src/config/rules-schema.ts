import { templateFault } from "@signalbox/policy";
import { z } from "zod";
import { duration, durationFrom, durationOrNever } from "./duration.ts";

const pattern = z.string().min(1);
const patterns = z.array(pattern).min(1);
const share = z.number().min(0).max(1);
const weight = z.number().min(0).max(1_000_000);

const template = z
  .string()
  .min(1)
  .superRefine((text, context) => {
    const message = templateFault(text);
    if (message !== undefined) context.addIssue({ code: "custom", message });
  });

/** `identity`: what services are called in the catalog. */
export const identitySchema = z
  .array(
    z
      .strictObject({
        registries: patterns.default(["*"]).describe("Registries that the rule is for, as `eureka/*`."),
        hostnames: patterns.default(["*"]).describe("Hostnames, as the registry has them, that the rule is for."),
        hostname: template.describe("The canonical hostname, as `{{name}}.prod.svc.cluster.local`."),
        namespace: template.default("{{namespace}}").describe("The canonical namespace."),
        aliases: z
          .array(template)
          .default([])
          .describe("Further hostnames of the service, in its canonical namespace."),
        gather: z.boolean().default(false).describe("Several services of one registry may become one."),
        collisions: z
          .enum(["rename", "strict"])
          .default("rename")
          .describe(
            "What becomes of the second of two services of one registry that want one name: it has another name, or it is left out.",
          ),
      })
      .describe("Gives services their canonical name; services of several registries with one name are one service."),
  )
  .default([])
  .describe("Who is who. The first rule that fits counts; without one a service keeps its registry's name.");

const split = z.record(pattern, weight).refine((shares) => Object.values(shares).some((one) => one > 0), {
  message: "needs at least one share above 0",
});

const onEmpty = z
  .enum(["spill", "blackhole"])
  .default("spill")
  .describe(
    "What becomes of the share of a registry without an endpoint that can take traffic: others take it, or it fails.",
  );

const mergeSchema = z
  .union([
    z.literal("union"),
    z.strictObject({ prefer: patterns.describe("The first registry with eligible endpoints serves.") }),
    z.strictObject({ failover: patterns.describe("Each registry only takes what those before it cannot.") }),
    z.strictObject({
      split: split.describe("Parts of the traffic, by registry; the last one is where the service moves to."),
      onEmpty,
    }),
    z.strictObject({ authoritative: pattern.describe("Only this registry serves; the others are shown beside it.") }),
  ])
  .describe("How several registries become one service. Default: all their endpoints.");

const rampStep = z.strictObject({
  at: z.iso.datetime({ offset: true }).describe("When the shares come into force, as `2026-03-01T09:00:00Z`."),
  split: split.describe("Parts of the traffic from then on; the last registry is where the service moves to."),
});

const rampSchema = z
  .strictObject({
    steps: z
      .array(rampStep)
      .min(1)
      .superRefine((steps, context) => {
        steps.forEach((step, index) => {
          const before = steps[index - 1];
          if (before === undefined) return;
          if (Date.parse(step.at) <= Date.parse(before.at))
            context.addIssue({ code: "custom", path: [index, "at"], message: `must come after ${before.at}` });
          const [target, targetBefore] = [step, before].map((one) => Object.keys(one.split).at(-1));
          if (target !== targetBefore)
            context.addIssue({
              code: "custom",
              path: [index, "split"],
              message: `moves to ${target}, the step before to ${targetBefore}: the last registry must be the same`,
            });
        });
      })
      .describe("The steps, by time. The shares of the first hold before its time, too."),
    gates: z
      .strictObject({
        maxGhosts: share
          .exactOptional()
          .describe("Part of the endpoints of the registry it moves to that may be ghosts."),
        minEligible: z
          .record(pattern, z.int().min(0))
          .exactOptional()
          .describe("Endpoints that can take traffic, by registry, that must be there."),
        noErrorStates: z
          .boolean()
          .exactOptional()
          .describe("Whether all registries of the steps must be `SYNCED` and without a problem. Default false."),
      })
      .default({})
      .describe("What must hold for a step to be taken."),
    onEmpty,
  })
  .describe("A split whose shares change over time, in place of `merge`.");

const action = z.enum(["report", "deprioritise", "exclude"]);

const guardFields = {
  mode: z
    .enum(["hold", "accept", "hold-until-operator"])
    .exactOptional()
    .describe("Whether sudden removals are held. Default hold."),
  minRemoved: z.int().min(1).exactOptional().describe("Fewer removals are always believed. Default 2."),
  maxServiceShrink: share
    .exactOptional()
    .describe("Part of a service's endpoints of which more must leave at once to be doubted. Default 1: all."),
  maxSourceShrink: share
    .exactOptional()
    .describe("Part of a source's endpoints or services of which more must leave to be doubted. Default 0.3."),
  window: duration.exactOptional().describe("How long removals add up. Default 60s."),
  holdFor: durationOrNever.exactOptional().describe("How long they are held. Default 5m."),
  recoveryRatio: share.exactOptional().describe("Part that must be back to end a hold. Default 0.9."),
  confirmations: z
    .int()
    .min(0)
    .exactOptional()
    .describe(
      "How many different states of a source that says which it is in must show the same removals to be believed. Default 0: never.",
    ),
  releaseBatch: z.int().min(1).exactOptional().describe("Removals that go at once when a hold is over. Default 100."),
  releaseEvery: duration.exactOptional().describe("Time between two batches. Default 1s."),
};

/** `services`: rules for services, by name. */
export const servicesSchema = z
  .array(
    z
      .strictObject({
        match: z.union([pattern, patterns]).describe("Canonical hostnames that the rules are for, as `*.prod.*`."),
        namespaces: patterns.default(["*"]).describe("Canonical namespaces that the rules are for."),
        merge: mergeSchema.exactOptional(),
        ramp: rampSchema.exactOptional(),
        migration: z
          .strictObject({
            parity: share.default(0.95).describe("Part of the endpoints of both registries that both must know."),
            for: duration.default("0s").describe("For how long that must have been so."),
          })
          .exactOptional()
          .describe("When the migration report calls the service ready."),
        drift: z
          .union([
            action,
            z.strictObject({
              NOT_READY: action.exactOptional().describe("The workload there is not ready."),
              TERMINATING: action.exactOptional().describe("The workload there is ending."),
              GHOST: action.exactOptional().describe("No workload has the address."),
              IMPOSTOR: action.exactOptional().describe("A workload of another service has the address."),
              PORT_MISMATCH: action.exactOptional().describe("The workload there does not serve the port."),
            }),
          ])
          .exactOptional()
          .describe("What a verdict does to an endpoint; one word is for all verdicts. Default report."),
        health: z
          .strictObject({
            ignore: patterns.exactOptional().describe("Registries whose word on health does not count."),
            drainFor: duration.exactOptional().describe("How long endpoints that left are drained. Default 0s."),
          })
          .exactOptional()
          .describe("How health is composed, and how endpoints leave."),
        slowStart: z
          .strictObject({
            over: duration.describe("Over how long the weight rises to its full value."),
            steps: z.int().min(1).max(20).default(4).describe("In how many steps; each is one change of the service."),
            flapWindow: duration
              .default("30s")
              .describe("Who is away or not healthy for not longer than this goes on where it was."),
          })
          .exactOptional()
          .describe("Endpoints that begin to take traffic get it little by little. Off unless given."),
        guard: z.strictObject(guardFields).exactOptional().describe("Doubts about this service's removals."),
      })
      .refine(({ merge, ramp }) => merge === undefined || ramp === undefined, {
        path: ["ramp"],
        message: "a service has either merge or ramp",
      })
      .describe("Rules for some services. Of each rule, the first entry that fits and has it counts."),
  )
  .default([])
  .describe("Rules by service: merging, ramps, drift, health, slow start, guards.");

/** `drift`: whose workloads are the truth about which addresses. */
export const driftSchema = z
  .strictObject({
    clusters: z
      .array(
        z.strictObject({
          registry: pattern.describe("The registry whose workloads are the truth, as `kubernetes/main`."),
          podCidrs: z.array(z.string().min(1)).min(1).describe("Addresses that belong to its workloads."),
        }),
      )
      .min(1)
      .describe("Who knows what runs where."),
    check: patterns
      .default(["eureka/*", "consul/*", "static/*"])
      .describe("Registries whose endpoints are compared with it."),
    ghostAfter: duration
      .default("15s")
      .describe("How long an address that was never a workload's is given before it counts as nobody's."),
    skew: duration.default("5s").describe("How far the clocks of the registries and the cluster may differ."),
    serviceLabels: patterns
      .default(["app.kubernetes.io/name", "app"])
      .describe("Labels of a workload that name its service."),
    withdraw: z
      .strictObject({
        mode: z
          .enum(["dry-run", "delete"])
          .default("dry-run")
          .describe("Whether registries are told, or it is only logged and journalled that they would be."),
        registries: patterns.describe("Registries that may be told, as `eureka/main`. Only Eureka can be."),
        services: patterns.describe("Canonical hostnames of the services whose ghosts may be withdrawn."),
        ghostFor: durationFrom("1m")
          .default("15m")
          .describe("How long all endpoints of a registration must have been `GHOST`s; at least `1m`."),
        every: durationFrom("1s").default("10s").describe("The least time between two of them; at least `1s`."),
        maxShare: share
          .default(0.34)
          .describe(
            "Part of a service's registrations of which not more may be ghosts, or withdrawn within the hour; else none of it is withdrawn.",
          ),
        keep: z
          .int()
          .min(1)
          .default(2)
          .describe("So many registrations of the service that are no ghosts the registry must list."),
        maxPerHour: z
          .int()
          .min(1)
          .default(20)
          .describe("Withdrawals within an hour. Where more are due, none is made until a person resumes them."),
      })
      .exactOptional()
      .describe("Tells registries of endpoints that are ghosts, so that they list them no longer. Off unless given."),
  })
  .exactOptional()
  .describe("Compares endpoints with the workloads of clusters. Off unless given.");

/** `guards`: doubts about sources that suddenly list less. */
export const guardsSchema = z
  .strictObject({
    registries: z
      .array(pattern)
      .default(["eureka/*", "consul/*"])
      .describe("Registries whose removals are doubted. An empty list turns guards off."),
    ...guardFields,
  })
  .prefault({})
  .describe("Holds removals when a source suddenly lists much less.");
