import type {
  RouteActionSchema,
  RouteAction_RequestMirrorPolicySchema,
  WeightedCluster_ClusterWeightSchema,
} from "@signalbox/envoy-api/envoy/config/route/v3/route_components";
import type { Destination, HttpRoute } from "@signalbox/istio-objects";
import { duration, type Init } from "../messages.ts";
import { statusAction, type ActionInit } from "./answers.ts";
import { httpTarget, type RouteContext } from "./context.ts";
import { hashPolicies } from "./hash-policy.ts";
import { headerOperations, type HeaderFields } from "./header-operations.ts";
import { exactPercent, wholePercent } from "./percent.ts";
import { retryPolicy } from "./retries.ts";
import { shares } from "./shares.ts";

/** The action of a route before it is encoded. */
export type RouteActionInit = Init<typeof RouteActionSchema>;
type MirrorInit = Init<typeof RouteAction_RequestMirrorPolicySchema>;
type WeightInit = Init<typeof WeightedCluster_ClusterWeightSchema>;
type HttpDestination = HttpRoute["route"][number];

/** An action with the header operations of its route. */
export interface Forwarding {
  readonly action: ActionInit;
  readonly headers: HeaderFields;
}

/** Sends a rule's requests to its destinations. A rule of several destinations none of which has weight answers 503: nobody is there. */
export function forward(rule: HttpRoute, context: RouteContext): Forwarding {
  const [only, ...others] = rule.route;
  const several = only === undefined || others.length > 0;
  const { fields, authority } = headerOperations(rule.headers, several ? undefined : only.headers);
  const upstream = several ? toSeveral(rule.route, context) : toOne(only, context);
  if (upstream === undefined) return { action: statusAction(503), headers: fields };
  const host = rule.rewrite?.authority ?? "";
  const retries = retryPolicy(rule.retries, context.settings, upstream.sticky);
  return {
    headers: fields,
    action: {
      case: "route",
      value: {
        ...upstream.action,
        ...deadline(rule.timeout ?? 0),
        ...pathRewrite(rule.rewrite),
        ...hostRewrite(host === "" ? authority : host),
        ...mirrors(rule, context),
        ...(retries === undefined ? {} : { retryPolicy: retries }),
      },
    },
  };
}

interface Upstream {
  readonly action: RouteActionInit;
  readonly sticky: boolean;
}

function toOne({ destination }: HttpDestination, context: RouteContext): Upstream {
  const { cluster, policy } = httpTarget(destination, context);
  const hashPolicy = hashPolicies(policy?.loadBalancer);
  return {
    action: {
      clusterSpecifier: { case: "cluster", value: cluster },
      ...(hashPolicy.length > 0 ? { hashPolicy: [...hashPolicy] } : {}),
    },
    sticky: policy?.loadBalancer?.consistentHash !== undefined,
  };
}

function toSeveral(destinations: readonly HttpDestination[], context: RouteContext): Upstream | undefined {
  const weighted = shares(destinations).map(([{ destination, headers }, weight]) => {
    const { cluster, policy } = httpTarget(destination, context);
    const { fields, authority } = headerOperations(headers);
    const clusterWeight: WeightInit = { name: cluster, weight, ...fields, ...hostRewrite(authority) };
    return { clusterWeight, hashPolicy: hashPolicies(policy?.loadBalancer) };
  });
  if (weighted.length === 0) return undefined;
  const hashPolicy = weighted.flatMap((one) => one.hashPolicy);
  const clusters = weighted.map(({ clusterWeight }) => clusterWeight);
  return {
    action: {
      clusterSpecifier: { case: "weightedClusters", value: { clusters } },
      ...(hashPolicy.length > 0 ? { hashPolicy } : {}),
    },
    sticky: false,
  };
}

/**
 * No time limit where the rule has none. A gRPC client's own deadline counts as far as it is the shorter one. The field for that is
 * deprecated, but beside its successor, `max_stream_duration`, Envoy does not look at `timeout` at all.
 */
function deadline(timeout: number): RouteActionInit {
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- Its successor would switch off `timeout`.
  return { timeout: duration(timeout), maxGrpcTimeout: duration(timeout) };
}

function pathRewrite(rewrite: HttpRoute["rewrite"]): RouteActionInit {
  const { uri = "", uriRegexRewrite: regex } = rewrite ?? {};
  if (regex !== undefined && regex.match !== "")
    return { regexRewrite: { pattern: { regex: regex.match }, substitution: regex.rewrite } };
  return uri === "" ? {} : { prefixRewrite: uri };
}

function hostRewrite(authority: string) {
  if (authority === "") return {};
  return { hostRewriteSpecifier: { case: "hostRewriteLiteral" as const, value: authority } };
}

function mirrors({ mirror, mirrors, ...rule }: HttpRoute, context: RouteContext): RouteActionInit {
  const policies: MirrorInit[] = [];
  const add = (destination: Destination | undefined, percentage: MirrorInit["runtimeFraction"]) => {
    if (destination === undefined || percentage === undefined) return;
    policies.push({
      cluster: httpTarget(destination, context).cluster,
      runtimeFraction: percentage,
      traceSampled: false,
      disableShadowHostSuffixAppend: true,
    });
  };
  const { mirrorPercentage, mirrorPercent } = rule;
  add(
    mirror,
    mirrorPercentage === undefined && mirrorPercent !== undefined
      ? fraction(mirrorPercent, wholePercent)
      : fraction(mirrorPercentage?.value),
  );
  for (const { destination, percentage } of mirrors) add(destination, fraction(percentage?.value));
  return policies.length > 0 ? { requestMirrorPolicies: policies } : {};
}

/** All where nothing is said; undefined where none are to be mirrored. */
function fraction(percent: number | undefined, form = exactPercent): MirrorInit["runtimeFraction"] {
  if (percent === undefined) return { defaultValue: wholePercent(100) };
  return percent > 0 ? { defaultValue: form(percent) } : undefined;
}
