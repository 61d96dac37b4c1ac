import { byCodeUnit, serviceKey } from "@signalbox/model";
import type { Catalog, ServiceKey } from "@signalbox/model";
import { ApiRefusal } from "./failure.ts";
import { nearest } from "./near.ts";

const mostNear = 3;

/**
 * The service that a person means: by key `namespace/hostname`, by hostname, or by the first labels of a hostname (`orders`, `orders.shop`)
 * where only one service begins so. Throws SBX_SERVICE_UNKNOWN with the keys of services that are called nearly so, or
 * SBX_SERVICE_AMBIGUOUS with the keys of all that fit.
 */
export function findService(catalog: Catalog, text: string): ServiceKey {
  const fitting = fittingKeys(catalog, text);
  const [only, ...others] = fitting;
  if (only !== undefined && others.length === 0) return only;
  if (only !== undefined)
    throw new ApiRefusal("SBX_SERVICE_AMBIGUOUS", `Several services are called ${text}; give one of these keys.`, {
      services: fitting.sort(byCodeUnit),
    });
  const near = nearKeys(catalog, text);
  const hint = near.length === 0 ? "" : ` Did you mean ${near.join(" or ")}?`;
  throw new ApiRefusal("SBX_SERVICE_UNKNOWN", `There is no service ${text}.${hint}`, { near });
}

/** The key that the text is, if it has the form of one. */
export function keyIn(text: string): ServiceKey | undefined {
  const slash = text.indexOf("/");
  if (slash < 0) return undefined;
  return serviceKey({ namespace: text.slice(0, slash), hostname: text.slice(slash + 1) });
}

function fittingKeys({ entries }: Catalog, text: string): ServiceKey[] {
  const key = keyIn(text);
  if (key !== undefined) return entries.has(key) ? [key] : [];
  const name = text.toLowerCase().replace(/\.$/, "");
  if (name === "") return [];
  const keys = [...entries.keys()];
  const exact = keys.filter((candidate) => hostnameOf(candidate) === name);
  return exact.length > 0 ? exact : keys.filter((candidate) => hostnameOf(candidate).startsWith(`${name}.`));
}

function hostnameOf(key: ServiceKey): string {
  return key.slice(key.indexOf("/") + 1);
}

/** Keys whose whole, hostname or first label is nearly the text. */
function nearKeys({ entries }: Catalog, text: string): string[] {
  const byName = new Map<string, ServiceKey[]>();
  for (const key of [...entries.keys()].sort(byCodeUnit)) {
    const hostname = hostnameOf(key);
    for (const name of new Set([key, hostname, hostname.split(".")[0] ?? ""])) {
      const keys = byName.get(name);
      if (keys) keys.push(key);
      else byName.set(name, [key]);
    }
  }
  const keys = nearest(text, byName.keys(), mostNear).flatMap((name) => byName.get(name) ?? []);
  return [...new Set(keys)].slice(0, mostNear);
}
