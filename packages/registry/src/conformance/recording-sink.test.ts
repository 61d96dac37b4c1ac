import { describe, expect, it } from "vitest";
import { objectKey, serviceKey, validateObject, validateRecord, validateWorkload } from "@signalbox/model";
import { configObject, serviceInstance, serviceRecord, workload } from "./records.ts";
import { RecordingSink } from "./recording-sink.ts";

const web = serviceRecord({ hostname: "web.x", instances: ["10.0.0.1"] });
const db = serviceRecord({ hostname: "db.x" });

describe("RecordingSink", () => {
  it("folds updates into the shard as it is now", () => {
    const sink = new RecordingSink();
    const vm = workload();
    const rule = configObject();
    sink.push({ type: "snapshot", records: [web], workloads: [vm], objects: [rule] });
    sink.push({ type: "delta", records: { upserted: [db], removed: [] } });
    expect([...sink.records.values()]).toEqual([web, db]);
    sink.push({ type: "delta", records: { upserted: [], removed: [serviceKey(web.service)] } });
    expect([...sink.records.values()]).toEqual([db]);
    expect([sink.workloads.get(vm.key), sink.objects.get(objectKey(rule))]).toEqual([vm, rule]);
    sink.push({ type: "snapshot", records: [] });
    expect([sink.records.size, sink.workloads.size, sink.objects.size]).toEqual([0, 0, 0]);
  });

  it("gives the shard as the baseline of another run, as it was then", async () => {
    const sink = new RecordingSink();
    const { signal } = new AbortController();
    sink.push({ type: "snapshot", records: [web], workloads: [workload()], objects: [configObject()] });
    const baseline = sink.asBaseline();
    sink.push({ type: "snapshot", records: [] });
    expect(await baseline.load(signal)).toEqual({ records: [web], workloads: [workload()], objects: [configObject()] });
  });

  it("resolves a wait with the call that fulfils it", async () => {
    const sink = new RecordingSink();
    const waiting = sink.waitFor(({ aliveCount }) => aliveCount === 2, 5000);
    sink.alive();
    sink.alive();
    await waiting;
  });

  it("rejects a wait after its deadline and says what was heard", async () => {
    const sink = new RecordingSink();
    sink.push({ type: "snapshot", records: [web] });
    sink.degraded("UNREACHABLE", new Error("refused"));
    await expect(sink.waitFor(() => false, 5)).rejects.toThrow(
      "not within 5 ms; heard: 1 updates (snapshot); alive 0 times; degraded 1 times (UNREACHABLE: refused); services: default/web.x (1)",
    );
  });

  it("finds out whose data changed after it was pushed", () => {
    const sink = new RecordingSink();
    const labels: Record<string, string> = {};
    sink.push({ type: "snapshot", records: [web] });
    sink.push({ type: "snapshot", records: [serviceRecord({ labels })] });
    expect(sink.changedAfterPush()).toEqual([]);
    labels["a"] = "b";
    expect(sink.changedAfterPush()).toEqual([1]);
  });
});

describe("record builders", () => {
  it("build what the model takes", () => {
    const record = serviceRecord({
      hostname: "db.example.com",
      resolution: "DNS",
      ports: [5432, { name: "admin", number: 80, protocol: "TCP" }],
      instances: ["10.0.0.1", "db-1.example.com", { address: "2001:db8::1", servicePort: "admin", weight: 5 }],
    });
    expect(validateRecord(record)).toEqual([]);
    expect(record.instances.map(({ id, servicePort }) => [id, servicePort])).toEqual([
      ["10.0.0.1:8080", "http"],
      ["db-1.example.com:8080", "http"],
      ["2001:db8::1:8080", "admin"],
    ]);
    expect(validateRecord(serviceRecord({ instances: [{ address: "unix:/run/a.sock" }] }))).toEqual([]);
    expect(serviceInstance({ port: 9 }).addresses).toEqual([{ type: "ip", ip: "10.0.0.1", port: 9 }]);
    expect([...validateWorkload(workload()), ...validateObject(configObject())]).toEqual([]);
  });
});
