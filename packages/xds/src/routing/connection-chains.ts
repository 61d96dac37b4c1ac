import { rangeKey, type AddressRange } from "../addresses.ts";
import { tcpProxy, type FilterChainInit } from "../filters.ts";
import { outboundCluster } from "../names.ts";
import type { OutboundPort } from "../outbound-port.ts";
import { isServerName, singleTarget, tcpRules, tlsRules, type L4Rule } from "./l4-rules.ts";

/**
 * The rules for connections to one port of a service, in order: those that its routing has, and the service's own way where they leave one.
 * `ranges` are the service's own; `byName` tells whether only server names tell it from others at its listener.
 */
export function connectionRules(
  { service, port, routing, destinations }: OutboundPort,
  kind: "tls" | "tcp",
  ranges: readonly AddressRange[],
  byName: boolean,
): readonly L4Rule[] {
  const { hostname } = service;
  const host = hostname.toLowerCase();
  const own: L4Rule = {
    serverNames: kind === "tls" && byName && isServerName(host) ? [host] : [],
    ranges,
    target: singleTarget(outboundCluster(port.number, hostname), destinations?.policy(hostname, port.number, "")),
  };
  if (routing === undefined || destinations === undefined) return [own];
  const rules = (kind === "tls" ? tlsRules : tcpRules)(routing, { port: port.number, destinations });
  const inPlace = rules.map((rule) => (rule.ranges.length > 0 ? rule : { ...rule, ranges }));
  const complete = kind === "tls" ? rules.length > 0 : rules.some((rule) => rule.ranges.length === 0);
  return complete ? inPlace : [...inPlace, own];
}

/**
 * Envoy refuses a listener in which two chains match the same. Each server name of a range belongs to the first rule that wants it; the others
 * keep what is left of theirs, and go where nothing is.
 */
export function distinctRules(rules: readonly L4Rule[]): readonly L4Rule[] {
  const taken = new Set<string>();
  const found: L4Rule[] = [];
  for (const rule of rules) {
    const names = rule.serverNames.length > 0 ? [...new Set(rule.serverNames)] : [""];
    const ranges = rule.ranges.length > 0 ? distinctRanges(rule.ranges) : [undefined];
    const key = (range: AddressRange | undefined, name: string) =>
      `${range === undefined ? "" : rangeKey(range)} ${name}`;
    const freeNames = names.filter((name) => ranges.every((range) => !taken.has(key(range, name))));
    const left =
      freeNames.length > 0
        ? { names: freeNames, ranges }
        : { names, ranges: ranges.filter((range) => names.every((name) => !taken.has(key(range, name)))) };
    if (left.ranges.length === 0) continue;
    for (const range of left.ranges) for (const name of left.names) taken.add(key(range, name));
    found.push({
      serverNames: left.names.filter((name) => name !== ""),
      ranges: left.ranges.filter((range) => range !== undefined),
      target: rule.target,
    });
  }
  return found;
}

/** Does a rule take every connection? */
export function isForAll({ serverNames, ranges }: L4Rule): boolean {
  return serverNames.length === 0 && ranges.length === 0;
}

/** The filter chain of a rule. */
export function ruleChain(rule: L4Rule): FilterChainInit {
  const filters = [tcpProxy(rule.target)];
  if (isForAll(rule)) return { filters };
  const prefixRanges = rule.ranges.map(({ prefix, length }) => ({ addressPrefix: prefix, prefixLen: length }));
  return { filters, filterChainMatch: { serverNames: [...rule.serverNames], prefixRanges } };
}

function distinctRanges(ranges: readonly AddressRange[]): readonly AddressRange[] {
  const seen = new Set<string>();
  return ranges.filter((range) => {
    const key = rangeKey(range);
    return seen.has(key) ? false : seen.add(key);
  });
}
