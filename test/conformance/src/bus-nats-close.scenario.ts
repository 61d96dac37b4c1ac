// A process that uses a bus and closes it. It must end by itself: nothing here calls process.exit.
import { createNatsBus } from "@signalbox/event-bus/nats";

const [server = ""] = process.argv.slice(2);
const bus = createNatsBus({ catalog: "close", servers: [server] });
const empty = { entries: new Map(), workloads: new Map(), objects: new Map() };
const led = await bus
  .lead(() => empty, AbortSignal.timeout(4000))
  .then(
    () => true,
    () => false,
  );
const end = new AbortController();
const events = bus.subscribe("scenario", end.signal)[Symbol.asyncIterator]();
if (led) await events.next();
else void events.next();
await bus.close();
process.stdout.write(led ? "led\n" : "did not lead\n");
