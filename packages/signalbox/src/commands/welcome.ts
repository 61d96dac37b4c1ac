import type { RegistryStatus } from "@signalbox/aggregate";
import type { Listening } from "../run-parts.ts";

/** What is up and what to try next, for a person at a terminal. */
export function welcome({ debug, xds }: Listening, registries: readonly RegistryStatus[]): string {
  const lines = ["", "Signalbox is up.", ""];
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
      `  signalbox bootstrap --node ${node} \\`,
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
