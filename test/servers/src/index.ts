export { connect, deltaStream, resourceNames, sotwStream } from "./ads-client.ts";
export { apiRequest } from "./api-request.ts";
export { adsBootstrap, fileBootstrap, restBootstrap, socketAddress } from "./bootstrap.ts";
export { createAuthority } from "./certificates.ts";
export { startConsul } from "./consul.ts";
export { signalbox, startDaemon } from "./daemon.ts";
export { EnvoyFailedError, RunningEnvoy, startEnvoy } from "./envoy.ts";
export { springArguments, startEureka, startEurekaPeers } from "./eureka.ts";
export { createEchoClient, startGrpcBackend } from "./grpc-backend.ts";
export { startHttpBackend } from "./http-backend.ts";
export { startKube } from "./kube.ts";
export { startLink } from "./link.ts";
export { startNats } from "./nats.ts";
export { freePort, freePorts, NoFreePortError } from "./ports.ts";
export { builtModule, inPrivateNetwork, PrivateNetworkUnavailableError } from "./private-network.ts";
export { envoyVersion, EnvoyUnavailableError, provideEnvoy } from "./provide-envoy.ts";
export { provideRedis } from "./provide-redis.ts";
export {
  provideConsul,
  provideGoProgram,
  provideJava,
  provideKube,
  provideNats,
  ServerUnavailableError,
} from "./provide-server.ts";
export { startRedis } from "./redis.ts";
export { Road } from "./road.ts";
export { CommandFailedError, runCommand } from "./run-command.ts";
export { ServerFailedError } from "./server-process.ts";
export { SharedServerError } from "./shared-server.ts";
export { startSpringProvider } from "./spring-provider.ts";
export { get, startTraffic } from "./traffic.ts";
export { waitFor, WaitTimeoutError } from "./wait-for.ts";
export type { ApiAnswer, ApiRequest, TlsFiles } from "./api-request.ts";
export type {
  AdsBootstrapOptions,
  Bootstrap,
  BootstrapBase,
  BootstrapNode,
  FileBootstrapOptions,
  RestBootstrapOptions,
} from "./bootstrap.ts";
export type { CertificateAuthority, CertificateFiles, CertificateSubject } from "./certificates.ts";
export type { ConsulOptions, RunningConsul } from "./consul.ts";
export type { Daemon, DaemonOptions } from "./daemon.ts";
export type { AdminAnswer, EnvoyAdmin } from "./envoy-admin.ts";
export type { EnvoyOptions, ExitStatus } from "./envoy.ts";
export type { EurekaOptions, RunningEureka, SpringProperties } from "./eureka.ts";
export type { EchoClient } from "./grpc-backend.ts";
export type { Backend, BackendOptions, SeenRequest } from "./http-backend.ts";
export type { KubeCredential, KubeOptions, KubeRequest, KubeRule, KubeUser, RunningKube } from "./kube.ts";
export type { Link } from "./link.ts";
export type { NatsOptions, RunningNats } from "./nats.ts";
export type { PrivateNetworkOptions } from "./private-network.ts";
export type { ProvideEnvoyOptions } from "./provide-envoy.ts";
export type { KubePrograms, Program, ProvideOptions } from "./provide-server.ts";
export type { RedisOptions, RunningRedis } from "./redis.ts";
export type { CommandOptions } from "./run-command.ts";
export type { ServerControl } from "./server-process.ts";
export type { StartOptions } from "./shared-server.ts";
export type { RunningSpringProvider, SpringProviderOptions } from "./spring-provider.ts";
export type { Answer, Traffic } from "./traffic.ts";
export type { WaitOptions } from "./wait-for.ts";
