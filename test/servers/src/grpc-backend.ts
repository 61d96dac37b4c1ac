import { Client, credentials, Server, ServerCredentials } from "@grpc/grpc-js";
import type { ClientOptions, handleUnaryCall, ServiceDefinition } from "@grpc/grpc-js";
import type { Backend, BackendOptions, SeenRequest } from "./http-backend.ts";

const toBytes = (text: string): Buffer => Buffer.from(text, "utf8");
const toText = (bytes: Buffer): string => bytes.toString("utf8");

const say = {
  path: "/signalbox.test.Echo/Say",
  requestStream: false,
  responseStream: false,
  requestSerialize: toBytes,
  requestDeserialize: toText,
  responseSerialize: toBytes,
  responseDeserialize: toText,
} as const;
const service: ServiceDefinition = { Say: say };

/**
 * Starts a real gRPC server (plaintext) with one unary method, `/signalbox.test.Echo/Say`. It answers `<name>: <request>`;
 * the messages are UTF-8 text, not protobuf, so that no generated code is needed.
 */
export async function startGrpcBackend(options: BackendOptions): Promise<Backend> {
  const { name, host = "127.0.0.1", port = 0 } = options;
  const server = new Server();
  let requests = 0;
  let lastRequest: SeenRequest | undefined;
  const answer: handleUnaryCall<string, string> = (call, done) => {
    requests++;
    lastRequest = { method: "POST", path: say.path, headers: call.metadata.toHttp2Headers() as SeenRequest["headers"] };
    done(null, `${name}: ${call.request}`);
  };
  server.addService(service, { Say: answer });
  const authority = host.includes(":") ? `[${host}]` : host;
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${authority}:${port}`, ServerCredentials.createInsecure(), (error, result) =>
      error === null ? resolve(result) : reject(error),
    );
  });
  return {
    name,
    host,
    port: bound,
    address: `${authority}:${bound}`,
    requests: () => requests,
    lastRequest: () => lastRequest,
    stop: () => {
      server.forceShutdown();
      return Promise.resolve();
    },
  };
}

/** A client of the backend's one method. */
export interface EchoClient {
  /** Calls once. Rejects with grpc-js' ServiceError, also when `deadlineMs` (5 s by default) has passed. */
  say(text: string, deadlineMs?: number): Promise<string>;
  close(): void;
}

/** Makes a plaintext client for a target that grpc-js can resolve: `host:port`, or `xds:///…` once grpc-js-xds is registered. */
export function createEchoClient(target: string, options: ClientOptions = {}): EchoClient {
  const client = new Client(target, credentials.createInsecure(), options);
  return {
    say: (text, deadlineMs = 5000) =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(
          say.path,
          toBytes,
          toText,
          text,
          { deadline: new Date(Date.now() + deadlineMs) },
          (error, response) => (error === null ? resolve(response ?? "") : reject(error)),
        );
      }),
    close: () => client.close(),
  };
}
