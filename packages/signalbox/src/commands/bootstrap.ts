import { formatYaml } from "@signalbox/files";
import { envoyBootstrap } from "../bootstrap/envoy.ts";
import { grpcBootstrap } from "../bootstrap/grpc.ts";
import { bootstrapOptions, type BootstrapFlags } from "./bootstrap-flags.ts";
import type { CommandContext } from "./context.ts";

/** `signalbox bootstrap`: prints a bootstrap for Envoy, or with `--grpc` one for gRPC. */
export function bootstrapCommand(
  flags: BootstrapFlags & { readonly grpc?: true; readonly output?: "yaml" | "json" },
  context: CommandContext,
): void {
  const options = bootstrapOptions(flags, context);
  const bootstrap = flags.grpc === true ? grpcBootstrap(options) : envoyBootstrap(options);
  // gRPC reads JSON only.
  const json = (flags.output ?? (flags.grpc === true ? "json" : "yaml")) === "json";
  context.stdout.write(json ? `${JSON.stringify(bootstrap, undefined, 2)}\n` : formatYaml(bootstrap));
}
