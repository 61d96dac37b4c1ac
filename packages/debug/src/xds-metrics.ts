import type { Instruments } from "./instruments.ts";
import { shortType } from "./resource-type.ts";

/** What happens on the xDS server. `XdsEvent` of `@signalbox/xds-server` has this shape. */
export type XdsEventView =
  | { readonly type: "stream-open"; readonly stream: number; readonly method: string }
  | { readonly type: "stream-node"; readonly stream: number }
  | { readonly type: "stream-close"; readonly stream: number }
  | {
      readonly type: "sent";
      readonly stream: number;
      readonly resourceType: string;
      readonly nonce: string;
      readonly resources: number;
      readonly removed: number;
      readonly bytes: number;
    }
  | {
      readonly type: "acked" | "nacked" | "stale-nonce";
      readonly stream: number;
      readonly resourceType: string;
      readonly nonce: string;
    }
  | { readonly type: "refused" }
  | { readonly type: "removed-despite-refusal" }
  | { readonly type: "certificates"; readonly error?: string };

interface Pushed {
  nonce: string;
  /** When the change that the response holds came; `undefined` if it was sent for another reason. */
  changeAt: number | undefined;
  sentAt: number;
}

interface Stream {
  readonly openedAt: number;
  readonly pushed: Map<string, Pushed>;
}

/** What was counted of one type and not yet written down. */
interface Counted {
  pushes: number;
  resources: number;
  removed: number;
  acks: number;
}

const services = new Map([
  ["AggregatedDiscoveryService", "ads"],
  ["ClusterDiscoveryService", "cds"],
  ["EndpointDiscoveryService", "eds"],
  ["ListenerDiscoveryService", "lds"],
  ["RouteDiscoveryService", "rds"],
  ["SecretDiscoveryService", "sds"],
]);

/** Counts what the xDS server does, and measures how long a change takes to be acknowledged. */
export class XdsMetrics {
  readonly #instruments: Instruments;
  readonly #now: () => number;
  readonly #lastChange: () => number | undefined;
  readonly #streams = new Map<number, Stream>();
  /** By short type. Each change makes as many of these events as there are clients, so they only add up numbers. */
  readonly #counted = new Map<string, Counted>();

  constructor(instruments: Instruments, now: () => number, lastChange: () => number | undefined) {
    this.#instruments = instruments;
    this.#now = now;
    this.#lastChange = lastChange;
  }

  /** Writes down what was counted. Call before the instruments are read. */
  flush(): void {
    for (const [type, { pushes, resources, removed, acks }] of this.#counted) {
      const labels = { type };
      if (pushes > 0) {
        this.#instruments.count("pilot_xds_pushes", labels, pushes);
        this.#instruments.count("signalbox_xds_sent_resources_total", labels, resources);
      }
      if (removed > 0) this.#instruments.count("signalbox_xds_removed_resources_total", labels, removed);
      if (acks > 0) this.#instruments.count("signalbox_xds_acks_total", labels, acks);
    }
    this.#counted.clear();
  }

  #countedOf(type: string): Counted {
    let counted = this.#counted.get(type);
    if (counted === undefined) {
      counted = { pushes: 0, resources: 0, removed: 0, acks: 0 };
      this.#counted.set(type, counted);
    }
    return counted;
  }

  /** Takes one event. */
  event(event: XdsEventView): void {
    switch (event.type) {
      case "stream-open":
        this.#streams.set(event.stream, { openedAt: this.#now(), pushed: new Map() });
        this.#instruments.count("signalbox_xds_streams_total", { service: serviceOf(event.method) });
        break;
      case "stream-node":
        break;
      case "removed-despite-refusal":
        // Its response is counted with the others.
        break;
      case "stream-close":
        this.#streams.delete(event.stream);
        this.#instruments.count("signalbox_xds_streams_closed_total");
        break;
      case "sent":
        this.#sent(event);
        break;
      case "acked":
        this.#acked(event.stream, event.resourceType, event.nonce);
        break;
      case "nacked":
        this.#instruments.count("pilot_total_xds_rejects", { type: shortType(event.resourceType) });
        break;
      case "stale-nonce":
        this.#instruments.count("pilot_xds_expired_nonce", { type: shortType(event.resourceType) });
        break;
      case "refused":
        this.#instruments.count("signalbox_xds_refused_streams_total");
        break;
      case "certificates":
        this.#instruments.count("signalbox_xds_certificate_reloads_total", {
          result: event.error === undefined ? "ok" : "failed",
        });
        break;
    }
  }

  #sent(event: Extract<XdsEventView, { readonly type: "sent" }>): void {
    const type = shortType(event.resourceType);
    const counted = this.#countedOf(type);
    counted.pushes++;
    counted.resources += event.resources;
    counted.removed += event.removed;
    this.#instruments.observe("pilot_xds_config_size_bytes", event.bytes, { type });
    const stream = this.#streams.get(event.stream);
    if (stream === undefined) return;
    const before = stream.pushed.get(event.resourceType);
    const change = this.#lastChange();
    // A first answer, or one to a new subscription, says nothing about how fast changes travel.
    const isPush = before !== undefined && change !== undefined && change > before.sentAt && change > stream.openedAt;
    stream.pushed.set(event.resourceType, {
      nonce: event.nonce,
      changeAt: isPush ? change : undefined,
      sentAt: this.#now(),
    });
  }

  #acked(stream: number, resourceType: string, nonce: string): void {
    this.#countedOf(shortType(resourceType)).acks++;
    const pushed = this.#streams.get(stream)?.pushed.get(resourceType);
    if (pushed?.nonce !== nonce || pushed.changeAt === undefined) return;
    this.#instruments.observe("pilot_proxy_convergence_time", (this.#now() - pushed.changeAt) / 1000);
    pushed.changeAt = undefined;
  }
}

/** The short name of the gRPC service in a method's path; the path itself comes from the client. */
function serviceOf(method: string): string {
  const service = /\.([A-Za-z]+)\/[A-Za-z]+$/.exec(method)?.[1] ?? "";
  return services.get(service) ?? "other";
}
