import { formatYaml } from "@signalbox/files";
import { customResourceDefinitions } from "@signalbox/istio-objects";
import type { CommandContext } from "./context.ts";

/** `signalbox crds`: prints the definitions of Istio's kinds, for `kubectl apply`. */
export function crdsCommand(flags: { readonly output: "json" | "yaml" }, context: CommandContext): void {
  const items = customResourceDefinitions();
  context.stdout.write(
    flags.output === "json"
      ? `${JSON.stringify({ apiVersion: "v1", kind: "List", items }, undefined, 2)}\n`
      : items.map((item) => formatYaml(item)).join("---\n"),
  );
}
