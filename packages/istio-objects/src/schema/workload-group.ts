import { int32, listOf, mapOf, message, optional, text, uint32, type ValueOf } from "../proto-json.ts";
import { readWorkloadEntry } from "../workload-entry.ts";

/** Reads the fields of a WorkloadGroup. */
export const readWorkloadGroup = message({
  metadata: optional(message({ labels: mapOf(text), annotations: mapOf(text) })),
  template: optional(readWorkloadEntry),
  probe: optional(
    message(
      {
        initialDelaySeconds: int32,
        timeoutSeconds: int32,
        periodSeconds: int32,
        successThreshold: int32,
        failureThreshold: int32,
        httpGet: optional(
          message({
            path: text,
            port: uint32,
            host: text,
            scheme: text,
            httpHeaders: listOf(message({ name: text, value: text })),
          }),
        ),
        tcpSocket: optional(message({ host: text, port: uint32 })),
        exec: optional(message({ command: listOf(text) })),
        grpc: optional(message({ port: uint32, service: text })),
      },
      ["httpGet", "tcpSocket", "exec", "grpc"],
    ),
  ),
});

/** `spec` of a WorkloadGroup. */
export type WorkloadGroup = ValueOf<typeof readWorkloadGroup>;
