import { listOf, mapOf, message, optional, text, uint32, type ValueOf } from "../proto-json.ts";
import { readServerTls } from "./common.ts";

const readServer = message({
  port: optional(message({ number: uint32, protocol: text, name: text, targetPort: uint32 })),
  bind: text,
  hosts: listOf(text),
  tls: optional(readServerTls),
  defaultEndpoint: text,
  name: text,
});

/** Reads the fields of a Gateway. */
export const readGateway = message({ servers: listOf(readServer), selector: mapOf(text) });

/** `spec` of a Gateway. */
export type Gateway = ValueOf<typeof readGateway>;
/** One port of a Gateway with its hosts. */
export type GatewayServer = ValueOf<typeof readServer>;
