// Asks a gRPC server for its health, found by xDS: node client.mjs xds:///payments.shop.svc.cluster.local:7070
// GRPC_XDS_BOOTSTRAP names the file that `signalbox bootstrap --grpc` wrote.
import { Buffer } from "node:buffer";
import { Client, credentials } from "@grpc/grpc-js";
import { register } from "@grpc/grpc-js-xds";

register(); // from here on, gRPC knows targets that begin with xds:
const target = process.argv[2] ?? "xds:///payments.shop.svc.cluster.local:7070";
const client = new Client(target, credentials.createInsecure());
const states = ["UNKNOWN", "SERVING", "NOT_SERVING"];

// The standard health check, without generated code: its request is empty, its answer one number.
client.makeUnaryRequest(
  "/grpc.health.v1.Health/Check",
  () => Buffer.alloc(0),
  (answer) => states[answer[1] ?? 0],
  {},
  { deadline: Date.now() + 10_000 },
  (error, state) => {
    console.log(error ? `${target}: ${error.message}` : `${target} is ${state}`);
    process.exitCode = error ? 1 : 0;
    client.close();
  },
);
