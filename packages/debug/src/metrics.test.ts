import { describe, expect, it } from "vitest";
import { createMetrics } from "./metrics.ts";
import type { DebugSources } from "./sources.ts";
import { catalog, cds, client, configObject, eds, entry, ip, sources, subscription } from "./testdata/world.ts";
import type { CatalogDelta } from "@signalbox/model";

function world(more: Partial<DebugSources> = {}) {
  const clock = { now: 1_000_000 };
  const metrics = createMetrics({ sources: sources(more), processMetrics: false, now: () => clock.now });
  /** Lines of one metric, without its name: `{type="cds"} 1`. */
  const read = async (name: string): Promise<string[]> => {
    const lines = (await metrics.text()).split("\n");
    return lines
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
      .map((line) => line.slice(name.length).trim());
  };
  return { metrics, clock, read };
}

function delta(more: Partial<CatalogDelta["entries"]>, objects: Partial<CatalogDelta["objects"]> = {}): CatalogDelta {
  const none = { upserted: [], removed: [] };
  return { entries: { ...none, ...more }, workloads: none, objects: { ...none, ...objects } };
}

const one = entry("one", [{ address: ip("10.0.0.1", 1) }, { address: ip("10.0.0.2", 1), health: "DRAINING" }]);
const oneMoved = entry("one", [{ address: ip("10.0.0.3", 1) }]);
const empty = entry("empty");
const rule = configObject("VirtualService", "v");
const at = (sequence: number) => ({ epoch: "e1", sequence });

describe("the gauge of rules", () => {
  it("counts by kind and by whether the newest form can be used, and forgets what is gone", async () => {
    const fares = { inForce: true, errors: [], warnings: [], faults: [] };
    let rules = [
      { key: "Gateway/a/g", accepted: true, ...fares },
      { key: "VirtualService/a/v", accepted: true, ...fares },
      { key: "VirtualService/b/v", accepted: true, ...fares },
      { key: "VirtualService/b/w", accepted: false, ...fares },
    ];
    const { read } = world({ rules: () => rules });
    expect(await read("signalbox_rules")).toEqual([
      '{kind="Gateway",accepted="true"} 1',
      '{kind="VirtualService",accepted="true"} 2',
      '{kind="VirtualService",accepted="false"} 1',
    ]);
    rules = rules.slice(0, 1);
    expect(await read("signalbox_rules")).toEqual(['{kind="Gateway",accepted="true"} 1']);
  });
});

describe("metrics of the catalog", () => {
  it("follow a snapshot and the deltas after it", async () => {
    const { metrics, read } = world();
    await metrics.busEvent({ type: "snapshot", catalog: catalog([one, empty], [rule], 4) });
    expect(await read("pilot_services")).toEqual(["2"]);
    expect(await read("pilot_eds_no_instances")).toEqual(["1"]);
    expect(await read("pilot_virt_services")).toEqual(["1"]);
    expect(await read("signalbox_catalog_instances")).toEqual(['{health="healthy"} 1', '{health="draining"} 1']);
    await metrics.busEvent({
      type: "delta",
      revision: at(5),
      delta: delta({ upserted: [oneMoved], removed: [empty.key] }),
    });
    await metrics.busEvent({
      type: "delta",
      revision: at(6),
      delta: delta({}, { removed: ["VirtualService/default/v" as never] }),
    });
    expect(await read("pilot_services")).toEqual(["1"]);
    expect(await read("pilot_eds_no_instances")).toEqual(["0"]);
    expect(await read("pilot_virt_services")).toEqual(["0"]);
    expect(await read("signalbox_catalog_instances")).toEqual(['{health="healthy"} 1', '{health="draining"} 0']);
    expect(await read("signalbox_bus_revision")).toEqual(["6"]);
    expect(await read("signalbox_bus_events_total")).toEqual(['{type="snapshot"} 1', '{type="delta"} 2']);
  });

  it("tell endpoint changes from service changes", async () => {
    const { metrics, read } = world();
    await metrics.busEvent({ type: "snapshot", catalog: catalog([one]) });
    await metrics.busEvent({ type: "delta", revision: at(2), delta: delta({ upserted: [oneMoved] }) });
    expect(await read("pilot_inbound_updates")).toEqual(['{type="svc"} 1', '{type="eds"} 1']);
    expect(await read("pilot_push_triggers")).toEqual(['{type="service"} 1', '{type="endpoint"} 1']);
  });

  it("do not count a repeated snapshot as changes, but what is missing in it as removed", async () => {
    const { metrics, read } = world();
    await metrics.busEvent({ type: "snapshot", catalog: catalog([one, empty]) });
    await metrics.busEvent({ type: "snapshot", catalog: catalog([one]) });
    expect(await read("pilot_services")).toEqual(["1"]);
    expect(await read("pilot_inbound_updates")).toEqual(['{type="svc"} 2', '{type="svcdelete"} 1']);
  });
});

describe("a large snapshot", () => {
  it("is compared with what is counted in several turns of the event loop", async () => {
    let now = 0;
    const metrics = createMetrics({ sources: sources(), processMetrics: false, now: () => ++now });
    const snapshot = {
      type: "snapshot" as const,
      catalog: catalog(Array.from({ length: 1000 }, (_, i) => entry(`s${i}`))),
    };
    await metrics.busEvent(snapshot);
    let isCounted = false;
    let turns = 0;
    // The same once more: nothing but the comparison is left to do.
    const counted = metrics.busEvent(snapshot).then(() => (isCounted = true));
    const turn = () => {
      turns++;
      if (!isCounted) setImmediate(turn);
    };
    turn();
    await counted;
    expect(turns).toBeGreaterThan(2);
  });
});

describe("metrics of the xDS server", () => {
  const method = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";
  const sent = (nonce: string, resourceType = cds) =>
    ({ type: "sent", stream: 1, resourceType, nonce, resources: 3, removed: 1, bytes: 20_000 }) as const;

  it("count streams, responses, acknowledgements and refusals by type", async () => {
    const { metrics, read } = world();
    metrics.xdsEvent({ type: "stream-open", stream: 1, method });
    metrics.xdsEvent({ type: "stream-open", stream: 2, method: "/made.up.by.a.Client/Method" });
    metrics.xdsEvent(sent("n1"));
    metrics.xdsEvent({ type: "acked", stream: 1, resourceType: cds, nonce: "n1" });
    metrics.xdsEvent({ type: "nacked", stream: 1, resourceType: eds, nonce: "n2" });
    metrics.xdsEvent({ type: "stale-nonce", stream: 1, resourceType: "type.googleapis.com/made.up", nonce: "n0" });
    metrics.xdsEvent({ type: "stream-close", stream: 2 });
    metrics.xdsEvent({ type: "refused" });
    expect(await read("signalbox_xds_streams_total")).toEqual(['{service="ads"} 1', '{service="other"} 1']);
    expect(await read("signalbox_xds_streams_closed_total")).toEqual(["1"]);
    expect(await read("pilot_xds_pushes")).toEqual(['{type="cds"} 1']);
    expect(await read("signalbox_xds_sent_resources_total")).toEqual(['{type="cds"} 3']);
    expect(await read("signalbox_xds_removed_resources_total")).toEqual(['{type="cds"} 1']);
    expect(await read("pilot_xds_config_size_bytes_sum")).toEqual(['{type="cds"} 20000']);
    expect(await read("signalbox_xds_acks_total")).toEqual(['{type="cds"} 1']);
    expect(await read("pilot_total_xds_rejects")).toEqual(['{type="eds"} 1']);
    expect(await read("pilot_xds_expired_nonce")).toEqual(['{type="other"} 1']);
    expect(await read("signalbox_xds_refused_streams_total")).toEqual(["1"]);
    metrics.xdsEvent({ type: "certificates", error: "no such file" });
    expect(await read("signalbox_xds_certificate_reloads_total")).toEqual(['{result="failed"} 1']);
  });

  it("measure convergence from a change to the acknowledgement of the response that holds it", async () => {
    const { metrics, clock, read } = world();
    await metrics.busEvent({ type: "snapshot", catalog: catalog([one]) });
    clock.now += 10;
    metrics.xdsEvent({ type: "stream-open", stream: 1, method });
    metrics.xdsEvent(sent("n1"));
    clock.now += 10;
    metrics.xdsEvent({ type: "acked", stream: 1, resourceType: cds, nonce: "n1" });
    // The first answer says nothing about how fast a change travels.
    expect(await read("pilot_proxy_convergence_time_count")).toEqual(["0"]);
    await metrics.busEvent({ type: "delta", revision: at(2), delta: delta({ upserted: [oneMoved] }) });
    clock.now += 20;
    metrics.xdsEvent(sent("n2"));
    clock.now += 230;
    metrics.xdsEvent({ type: "acked", stream: 1, resourceType: cds, nonce: "n2" });
    metrics.xdsEvent({ type: "acked", stream: 1, resourceType: cds, nonce: "n2" });
    expect(await read("pilot_proxy_convergence_time_count")).toEqual(["1"]);
    expect(await read("pilot_proxy_convergence_time_sum")).toEqual(["0.25"]);
  });

  it("show who is connected and whose last response was refused", async () => {
    const refusing = { subscriptions: [subscription(cds, { error: "no" }), subscription(eds)] };
    let clients = [client(1, "a", refusing), client(2, "b", { protocol: "delta" })];
    const { read } = world({ clients: () => clients });
    expect(await read("pilot_xds")).toEqual(['{protocol="sotw"} 1', '{protocol="delta"} 1']);
    expect(await read("pilot_xds_cds_reject")).toEqual(["1"]);
    expect(await read("pilot_xds_eds_reject")).toEqual(["0"]);
    clients = [];
    expect(await read("pilot_xds")).toEqual(['{protocol="sotw"} 0', '{protocol="delta"} 0']);
    expect(await read("pilot_xds_cds_reject")).toEqual(["0"]);
  });
});

describe("metrics of registries", () => {
  it("show state, age and problem, and nothing of a registry that is gone", async () => {
    let registries: ReturnType<DebugSources["registries"]> = [
      { id: "static/a", state: "STALE", problem: "UNREACHABLE", services: 3, lastCompleteRead: 990_000, restarts: 2 },
    ];
    const { read } = world({ registries: () => registries });
    expect(await read("signalbox_registry_state")).toEqual(['{registry="static/a",state="stale"} 1']);
    expect(await read("signalbox_registry_problem")).toEqual(['{registry="static/a",problem="unreachable"} 1']);
    expect(await read("signalbox_registry_services")).toEqual(['{registry="static/a"} 3']);
    expect(await read("signalbox_registry_restarts_total")).toEqual(['{registry="static/a"} 2']);
    expect(await read("signalbox_registry_age_seconds")).toEqual(['{registry="static/a"} 10']);
    expect(await read("signalbox_registry_restarts_total")).toEqual(['{registry="static/a"} 2']);
    registries = [];
    expect(await read("signalbox_registry_state")).toEqual([]);
  });

  it("take names of the registries' own", async () => {
    const { metrics, read } = world();
    const own = metrics.forRegistry("static/a");
    own.counter("file_reloads", { result: "ok" });
    own.counter("file_reloads", { result: "ok" });
    metrics.forRegistry("static/b").counter("file_reloads", { result: "bad" });
    own.histogram("read_seconds", 0.2);
    expect(await read("signalbox_file_reloads_total")).toEqual([
      '{result="ok",registry="static/a"} 2',
      '{result="bad",registry="static/b"} 1',
    ]);
    expect(await read("signalbox_read_seconds_sum")).toEqual(['{registry="static/a"} 0.2']);
  });

  it("drop and count what does not fit, and never throw", async () => {
    const { metrics, read } = world();
    const own = metrics.forRegistry("static/a");
    own.counter("reads", { result: "ok" });
    const drops = [
      () => own.counter("reads", { other: "label" }),
      () => own.counter("bad name"),
      () => own.counter("reads_2", { "bad label": "x" }),
      () => own.counter("reads_3", { registry: "mine" }),
      () => own.counter("xds_acks_total"),
      () => own.histogram("seconds", Number.NaN),
    ];
    for (const drop of drops) drop();
    expect(await read("signalbox_metrics_dropped_total")).toEqual([String(drops.length)]);
    expect(await read("signalbox_reads_total")).toEqual(['{result="ok",registry="static/a"} 1']);
  });

  it("bound the number of series", async () => {
    const { metrics, read } = world();
    const own = metrics.forRegistry("static/a");
    for (let i = 0; i < 1200; i++) own.counter("reads", { result: String(i) });
    expect(await read("signalbox_reads_total")).toHaveLength(1000);
    expect(await read("signalbox_metrics_dropped_total")).toEqual(["200"]);
  });
});

describe("the whole text", () => {
  it("has build and process metrics", async () => {
    const metrics = createMetrics({ sources: sources() });
    const text = await metrics.text();
    expect(text).toContain(`signalbox_build_info{version="0.1.0",node_version="${process.version}"} 1`);
    expect(text).toMatch(/^process_cpu_seconds_total /m);
    expect(text).toMatch(/^nodejs_eventloop_lag_p99_seconds /m);
    expect(metrics.contentType).toContain("text/plain");
  });
});
