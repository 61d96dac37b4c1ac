import type { Daemon } from "@signalbox/test-servers";
import { orders, port } from "./cast.ts";
import type { Explained } from "./result.ts";

/** What the daemon must say of endpoints of `orders`, by address: the codes of what became of each candidate, or one of the next two. */
export type Expected = Readonly<Record<string, string>>;

/** Said of an endpoint that a registry knew before, and none knows now. */
export const departed = "departed";
/** Said of an endpoint that no registry ever knew. */
export const unheardOf = "unheard of";

interface AddressExplanation {
  readonly found: boolean;
  readonly candidates: readonly { readonly outcome: { readonly code: string } }[];
  readonly departures: readonly unknown[];
}

/** Asks a daemon for the reasons of each of these endpoints. */
export async function explain(daemon: Daemon, step: string, expected: Expected): Promise<readonly Explained[]> {
  const asked = Object.entries(expected).map(async ([address, code]) => {
    const said = await reasonOf(daemon, address);
    return { step, address, expected: code, said };
  });
  return Promise.all(asked);
}

/** What became of the endpoint of `orders` at an address. */
export async function reasonOf(daemon: Daemon, address: string): Promise<string> {
  const query = new URLSearchParams({ service: orders.host, address: `${address}:${port}` });
  const { candidates, departures, found } = (await daemon.debug(
    `/v1/explain?${query.toString()}`,
  )) as AddressExplanation;
  if (found) return candidates.map(({ outcome }) => outcome.code).join(", ");
  return departures.length > 0 ? departed : unheardOf;
}

/** What the cluster says about the endpoint of `orders` at an address; nothing where it was not asked. */
export async function verdictOf(daemon: Daemon, address: string): Promise<string | undefined> {
  const { items } = (await daemon.debug(`/v1/drift?service=${orders.host}`)) as {
    items: readonly { address: string; verdict: string }[];
  };
  return items.find((item) => item.address === `${address}:${port}`)?.verdict;
}
