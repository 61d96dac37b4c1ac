#!/usr/bin/env node
// Stands in for Envoy: takes its flags, serves the admin paths that the agent uses, and writes down what happens, one JSON line each.
// --record FILE  where to write; --crash N  the first N starts end with code 3; --connections N  open connections, one less at each look;
// --speak  writes a line to standard output; --deaf  ignores SIGTERM; --exit CODE  ends at once with this code.
import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";

const flags = new Map();
for (let index = 2; index < process.argv.length; index++) {
  const next = process.argv[index + 1];
  flags.set(process.argv[index], next === undefined || next.startsWith("--") ? "" : process.argv[++index]);
}
const file = flags.get("--record");
const record = (what) => appendFileSync(file, `${JSON.stringify(what)}\n`);
const starts = existsSync(file) ? readFileSync(file, "utf8").split("\n").filter((line) => line.includes('"started"')).length : 0;
const bootstrap = JSON.parse(readFileSync(flags.get("--config-path"), "utf8"));
record({ event: "started", node: bootstrap.node.id, drain: flags.get("--drain-time-s"), pid: process.pid, hotRestart: !flags.has("--disable-hot-restart") });
if (flags.has("--speak")) console.log("fake envoy speaks");

if (flags.has("--exit")) process.exit(Number(flags.get("--exit")));
if (starts < Number(flags.get("--crash") ?? 0)) process.exit(3);

let connections = Number(flags.get("--connections") ?? 0);
const server = createServer((request, response) => {
  record({ event: "asked", method: request.method, url: request.url });
  if (!request.url.startsWith("/stats")) return response.end("OK\n");
  const value = Math.max(0, connections--);
  response.end(
    JSON.stringify({
      stats: [
        { name: "listener.admin.downstream_cx_active", value: 1 },
        { name: "listener.127.0.0.1_8000.downstream_cx_active", value },
        { name: "listener.127.0.0.1_8000.worker_0.downstream_cx_active", value },
        { name: "http.out.downstream_cx_active", value },
      ],
    }),
  );
});
server.listen(bootstrap.admin.address.socket_address.port_value, "127.0.0.1", () => {
  const path = flags.get("--admin-address-path");
  writeFileSync(`${path}.new`, `127.0.0.1:${server.address().port}`);
  renameSync(`${path}.new`, path);
  record({ event: "ready" });
});
process.on("SIGTERM", () => {
  record({ event: "SIGTERM" });
  if (!flags.has("--deaf")) process.exit(0);
});
