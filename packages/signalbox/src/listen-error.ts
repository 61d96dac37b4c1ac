import type { SignalboxConfig } from "./config/schema.ts";

/** Thrown when a port of the configuration cannot be opened. */
export class ListenError extends Error {
  readonly code = "SBX_LISTEN";
  /** The key of the configuration, for example `debug.port`. */
  readonly key: string;

  constructor(key: string, cause: Error) {
    const taken = (cause as NodeJS.ErrnoException).code === "EADDRINUSE";
    const hint = `; does another Signalbox run here? Set ${key} to another port, or to 0 for a free one`;
    super(`${key}: ${cause.message}${taken ? hint : ""}`, { cause });
    this.name = "ListenError";
    this.key = key;
  }
}

type Ports = Pick<SignalboxConfig, "admission" | "debug" | "xds">;

/** A failure of the port of the debug server, of the admission webhook or of the xDS ports with the key of the configuration that it is about; other failures as they are. */
export function listenFailure(error: unknown, server: "admission" | "debug" | "xds", { debug, xds }: Ports): unknown {
  const cause = systemError(error);
  if (cause === undefined) return error;
  if (server === "debug") return debug === false ? error : new ListenError("debug.port", cause);
  if (server === "admission") return new ListenError("admission.port", cause);
  const keys = [
    ...(xds.plaintext !== false && xds.plaintext.port === cause.port ? ["xds.plaintext.port"] : []),
    ...(xds.tls?.port === cause.port ? ["xds.tls.port"] : []),
  ];
  return keys.length === 0 ? error : new ListenError(keys.join(" or "), cause);
}

/** What Node says when `listen` fails. */
type SystemError = NodeJS.ErrnoException & { readonly port?: number };

function systemError(error: unknown): SystemError | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause)
    // A worker has its port from the primary process, and says "bind".
    if (["bind", "listen"].includes((cause as SystemError).syscall ?? "")) return cause;
  return undefined;
}
