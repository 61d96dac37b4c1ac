import { contentHash, isHostname } from "@signalbox/model";
import type { EurekaInstance } from "../client/answer.ts";
import type { EurekaConfig } from "../config.ts";

/** The names, in lower case, of the services that an instance belongs to, and which of its ports serve there. */
export function servicesOf(
  instance: EurekaInstance,
  { serviceBy, apps }: EurekaConfig,
): ReadonlyMap<string, PortChoice> {
  if (!isSelected(instance.app, apps)) return new Map();
  if (serviceBy === "app") return new Map([[instance.app.toLowerCase(), "all"]]);
  const { vips, secureVips, port, securePort } = instance;
  // Clients register both lists whether or not there is a port behind them.
  const plain = port !== undefined || securePort === undefined ? vips : [];
  const names = new Map<string, PortChoice>(plain.map((vip) => [vip, "plain"]));
  for (const vip of securePort === undefined ? [] : secureVips) names.set(vip, names.has(vip) ? "all" : "secure");
  return names;
}

/** Which ports of an instance serve a name: all, those but the secure one, or only that. */
export type PortChoice = "all" | "plain" | "secure";

/** Whether the configuration lets an application in. Names compare without case; `*` stands for any text. */
export function isSelected(app: string, { include, exclude }: EurekaConfig["apps"]): boolean {
  const matches = (patterns: readonly string[]) => patterns.some((pattern) => patternOf(pattern).test(app));
  return (include.length === 0 || matches(include)) && !matches(exclude);
}

const patterns = new Map<string, RegExp>();

function patternOf(text: string): RegExp {
  const known = patterns.get(text);
  if (known !== undefined) return known;
  const parts = text.split("*").map((part) => part.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&"));
  const pattern = new RegExp(`^${parts.join(".*")}$`, "i");
  patterns.set(text, pattern);
  return pattern;
}

/**
 * The host name of a service: `<name>.<domain>`. A name that DNS does not allow is made to fit, and gets a hash of what it
 * was, so that two such names never become one, whatever else there is.
 */
export function hostnameOf(name: string, domain: string): string {
  const plain = `${name}.${domain}`;
  if (isHostname(plain)) return plain;
  const hash = contentHash(name).slice(0, 8);
  const labels = name.split(".").map((label) => label.replace(/[^a-z0-9_-]+/g, "-").replace(/^-+|-+$/g, ""));
  const [last = "", ...rest] = labels.filter((label) => label !== "").reverse();
  const fitting = [...rest.reverse().map((label) => cut(label, 63)), cut(last, 54)].filter((label) => label !== "");
  const made = `${[...fitting.slice(0, -1), [fitting.at(-1), hash].filter(Boolean).join("-")].join(".")}.${domain}`;
  return isHostname(made) ? made : `app-${hash}.${domain}`;
}

function cut(label: string, length: number): string {
  return label.slice(0, length).replace(/-+$/, "");
}
