export { listOf, maxBytes, namespace, portKeys, protocol, schemeOf, secret, text, texts, tls } from "./fields.ts";
export { parseWith } from "./parse-with.ts";
export { describe, schemaFaults } from "./schema-faults.ts";
export type { SchemaFaultOptions } from "./schema-faults.ts";
