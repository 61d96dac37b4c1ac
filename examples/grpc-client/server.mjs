// A gRPC server that only answers health checks: node server.mjs [port]. Without a port it is the quickstart's service payments.
import { Buffer } from "node:buffer";
import { Server, ServerCredentials } from "@grpc/grpc-js";

const server = new Server();
const serving = Buffer.from([8, 1]); // HealthCheckResponse { status: SERVING }
const check = {
  path: "/grpc.health.v1.Health/Check",
  requestStream: false,
  responseStream: false,
  requestDeserialize: (bytes) => bytes,
  responseSerialize: (bytes) => bytes,
};
server.addService({ Check: check }, { Check: (_call, answer) => answer(null, serving) });
server.bindAsync(`127.0.0.1:${process.argv[2] ?? 9003}`, ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(`listening on 127.0.0.1:${port}`);
});
