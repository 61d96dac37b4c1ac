export { connect, deltaStream, resourceNames, sotwStream } from "./ads-client.ts";
export { adsBootstrap, fileBootstrap, restBootstrap, socketAddress } from "./bootstrap.ts";
export { signalbox, startDaemon } from "./daemon.ts";
export { EnvoyFailedError, RunningEnvoy, startEnvoy } from "./envoy.ts";
export { createEchoClient, startGrpcBackend } from "./grpc-backend.ts";
export { startHttpBackend } from "./http-backend.ts";
export { freePort, freePorts, NoFreePortError } from "./ports.ts";
export { envoyVersion, EnvoyUnavailableError, provideEnvoy } from "./provide-envoy.ts";
export { get, startTraffic } from "./traffic.ts";
export { waitFor, WaitTimeoutError } from "./wait-for.ts";
export type {
  AdsBootstrapOptions,
  Bootstrap,
  BootstrapBase,
  BootstrapNode,
  FileBootstrapOptions,
  RestBootstrapOptions,
} from "./bootstrap.ts";
export type { Daemon, DaemonOptions } from "./daemon.ts";
export type { AdminAnswer, EnvoyAdmin } from "./envoy-admin.ts";
export type { EnvoyOptions, ExitStatus } from "./envoy.ts";
export type { EchoClient } from "./grpc-backend.ts";
export type { Backend, BackendOptions, SeenRequest } from "./http-backend.ts";
export type { ProvideEnvoyOptions } from "./provide-envoy.ts";
export type { Answer, Traffic } from "./traffic.ts";
export type { WaitOptions } from "./wait-for.ts";
