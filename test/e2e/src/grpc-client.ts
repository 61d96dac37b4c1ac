// A proxyless gRPC client in a process of its own: grpc-js-xds reads its bootstrap from the environment once, at import.
// Reads one target per line from standard input, calls it as often as the number before it says, prints the answers as JSON.
import { createInterface } from "node:readline";
import { createEchoClient, type EchoClient } from "@signalbox/test-servers";
import { register } from "@grpc/grpc-js-xds";

register();
const clients = new Map<string, EchoClient>();

for await (const line of createInterface({ input: process.stdin })) {
  const [count = "1", target = ""] = line.split(" ");
  const client = clients.get(target) ?? createEchoClient(target);
  clients.set(target, client);
  const answers: string[] = [];
  for (let call = 0; call < Number(count); call++) {
    answers.push(await client.say("hello", 10_000).catch((error: unknown) => `error: ${String(error)}`));
  }
  process.stdout.write(`${JSON.stringify(answers)}\n`);
}
for (const client of clients.values()) client.close();
