import {
  bool,
  double,
  duration,
  enumOf,
  int32,
  listOf,
  mapOf,
  message,
  optional,
  text,
  type ValueOf,
} from "../proto-json.ts";
import { readMatchLabels, readTargetReference } from "./common.ts";

const readProviders = listOf(message({ name: text }));
const readMode = enumOf("CLIENT_AND_SERVER", "CLIENT", "SERVER");

/** Reads the fields of a Telemetry. */
export const readTelemetry = message({
  selector: optional(readMatchLabels),
  targetRef: optional(readTargetReference),
  targetRefs: listOf(readTargetReference),
  tracing: listOf(
    message({
      match: optional(message({ mode: readMode })),
      providers: readProviders,
      randomSamplingPercentage: optional(double),
      disableSpanReporting: optional(bool),
      customTags: mapOf(
        message(
          {
            literal: optional(message({ value: text })),
            environment: optional(message({ name: text, defaultValue: text })),
            header: optional(message({ name: text, defaultValue: text })),
            formatter: optional(message({ value: text })),
          },
          ["literal", "environment", "header", "formatter"],
        ),
      ),
      useRequestIdForTraceSampling: optional(bool),
      enableIstioTags: optional(bool),
      disableContextPropagation: optional(bool),
    }),
  ),
  metrics: listOf(
    message({
      providers: readProviders,
      overrides: listOf(
        message({
          match: optional(
            message(
              {
                metric: optional(
                  enumOf(
                    "ALL_METRICS",
                    "REQUEST_COUNT",
                    "REQUEST_DURATION",
                    "REQUEST_SIZE",
                    "RESPONSE_SIZE",
                    "TCP_OPENED_CONNECTIONS",
                    "TCP_CLOSED_CONNECTIONS",
                    "TCP_SENT_BYTES",
                    "TCP_RECEIVED_BYTES",
                    "GRPC_REQUEST_MESSAGES",
                    "GRPC_RESPONSE_MESSAGES",
                  ),
                ),
                customMetric: optional(text),
                mode: readMode,
              },
              ["metric", "customMetric"],
            ),
          ),
          disabled: optional(bool),
          tagOverrides: mapOf(message({ operation: enumOf("UPSERT", "REMOVE"), value: text })),
        }),
      ),
      reportingInterval: optional(duration),
    }),
  ),
  accessLogging: listOf(
    message({
      match: optional(message({ mode: readMode })),
      providers: readProviders,
      disabled: optional(bool),
      filter: optional(message({ expression: text })),
    }),
  ),
});
/** `spec` of a Telemetry. */
export type Telemetry = ValueOf<typeof readTelemetry>;

/** Reads the fields of a ProxyConfig object. */
export const readProxyConfig = message({
  selector: optional(readMatchLabels),
  concurrency: optional(int32),
  environmentVariables: mapOf(text),
  image: optional(message({ imageType: text })),
});
/** `spec` of a ProxyConfig object. */
export type ProxyConfig = ValueOf<typeof readProxyConfig>;
