import { basename } from "node:path";
import type { RegistryStatus } from "@signalbox/aggregate";
import type { Listening } from "../run-parts.ts";

/**
 * How a person calls the program again: `signalbox` where it is on the path, `npx signalbox` where npm or a checkout started it. `script`
 * is the file that Node was told to run.
 */
export function programName(script: string, environment: Readonly<Record<string, string | undefined>>): string {
  const onPath = basename(script) === "signalbox" && !/[\\/]node_modules[\\/]/.test(script);
  return onPath && environment["npm_config_user_agent"] === undefined ? "signalbox" : "npx signalbox";
}

/** What keeps a running Signalbox from serving what it should, one text for each registry. */
export function troubles(registries: readonly RegistryStatus[]): string[] {
  return registries.flatMap(({ id, problem, state }) => {
    if (state === "SYNCED" && problem === undefined) return [];
    const words = state === "INIT" ? "has said nothing yet" : "cannot be read; what it said before stays";
    return [`${id} ${words}${problem === undefined ? "" : ` (${problem})`}`];
  });
}

/** What is up, what is not, and what to try next, for a person at a terminal. `program` is how they call Signalbox. */
export function welcome({ debug, xds }: Listening, registries: readonly RegistryStatus[], program: string): string {
  const but = registries.length === 0 ? ["there are no registries and no rules"] : troubles(registries);
  const lines = ["", but.length === 0 ? "Signalbox is up." : `Signalbox is up, but: ${but.join("; ")}.`, ""];
  for (const { id, problem, services, state } of registries) {
    const trouble = problem === undefined ? "" : `, ${problem}`;
    lines.push(
      `  registry  ${id}: ${services} ${services === 1 ? "service" : "services"} (${state.toLowerCase()}${trouble})`,
    );
  }
  if (registries.length === 0) lines.push("  registry  none: the catalog is empty");
  if (xds.plaintext !== undefined) lines.push(`  xDS       ${authority(xds.plaintext)} (plaintext)`);
  if (xds.tls !== undefined) lines.push(`  xDS       ${authority(xds.tls)} (mutual TLS)`);
  if (debug !== undefined) lines.push(`  debug     ${debug.url}`);
  lines.push("", "Try next:");
  if (debug !== undefined) {
    lines.push(
      `  curl '${debug.url}/debug/endpointz?brief=1'   every endpoint`,
      `  curl '${debug.url}/debug/syncz'               what each proxy was sent and accepted`,
    );
  }
  if (xds.plaintext !== undefined) {
    const node = "sidecar~127.0.0.1~me.default~default.svc.cluster.local";
    lines.push(
      `  ${program} bootstrap --node ${node} \\`,
      `    --metadata INTERCEPTION_MODE=NONE --xds-address ${authority(xds.plaintext)} > envoy.yaml`,
      `  envoy -c envoy.yaml                           a proxy that follows the catalog`,
    );
  }
  lines.push("  edit a file that a registry reads: proxies have the change at once", "", "Ctrl-C stops it.", "");
  return `${lines.join("\n")}\n`;
}

function authority({ address, port }: { readonly address: string; readonly port: number }): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
