import { registryId, type ServiceRecord } from "@signalbox/model";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseAnswer, type EurekaInstance } from "../client/answer.ts";
import { parseEurekaConfig } from "../config.ts";
import { convertService } from "../convert.ts";
import { instanceOf, type Registration } from "../testing/fake-eureka.ts";
import { formerInstances } from "./baseline.ts";
import { servicesOf } from "./names.ts";

const registry = registryId("eureka", "test");
const configOf = (settings: object) => parseEurekaConfig({ urls: "http://eureka:8761", ...settings });

function parsed(registrations: readonly Registration[]): readonly EurekaInstance[] {
  const application = registrations.map((one) => ({ name: one.app, instance: [instanceOf(one)] }));
  const { entries } = parseAnswer(JSON.stringify({ applications: { application } }), "full");
  // As in a real server, an id is there once.
  return [...new Map(entries.map(({ key, instance }) => [key, instance])).values()];
}

function converted(instances: readonly EurekaInstance[], settings: object) {
  const config = configOf(settings);
  const names = [...new Set(instances.flatMap((instance) => [...servicesOf(instance, config).keys()]))].sort();
  return names.map((name) => {
    const mine = instances.filter((instance) => servicesOf(instance, config).has(name));
    return convertService(name, mine, { config, registry });
  });
}

function recordsOf(instances: readonly EurekaInstance[], settings: object): readonly ServiceRecord[] {
  return converted(instances, settings).flatMap(({ record }) => record ?? []);
}

/** Whether an endpoint was left out because the others of its port speak TLS or do not: nothing leads back to that one. */
function disagreeAboutTls(instances: readonly EurekaInstance[], settings: object): boolean {
  return converted(instances, settings).some(({ faults }) =>
    faults.some(({ message }) => /left out of port/.test(message)),
  );
}

/** What becomes of the records when an adapter with these settings takes them over. */
function takenOver(records: readonly ServiceRecord[], settings: object) {
  const { instances, unplaced } = formerInstances(records, configOf(settings));
  return { records: recordsOf([...instances.values()], settings), unplaced };
}

const idsOf = (records: readonly ServiceRecord[]) =>
  records.flatMap(({ service, instances }) => instances.map(({ id }) => `${service.hostname} ${id}`));

const number = fc.constantFrom(80, 8080, 9090);
const maybe = <T>(one: fc.Arbitrary<T>) => fc.option(one, { nil: undefined });
const registration: fc.Arbitrary<Registration> = fc
  .record({
    app: fc.constantFrom("web", "Pay Ments", "a/b"),
    id: fc.constantFrom("w1", "host:web:80", "a/b", "a, instance b", "port"),
    ip: fc.constantFrom("10.0.0.1", "10.0.0.2", "2001:db8::1", "not an address"),
    hostName: fc.constantFrom("one.example.com", "10.0.0.3"),
    port: maybe(number),
    securePort: maybe(fc.constantFrom(443, 8080)),
    status: fc.constantFrom("UP", "DOWN", "STARTING", "OUT_OF_SERVICE", "odd"),
    override: maybe(fc.constantFrom("UP", "OUT_OF_SERVICE")),
    vip: maybe(fc.constantFrom("web", "web, shop", "")),
    secureVip: maybe(fc.constantFrom("web", "safe", "")),
    metadata: fc.dictionary(
      fc.constantFrom("gRPC.port", "protocol", "weight", "version", "region", "zone", "subzone", "tier", "port"),
      fc.constantFrom("", "9090", "8080", "grpc", "us-east-1", "us-east-1a", "0.5", "x"),
    ),
  })
  .map((all) => Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as never);
const settings = fc
  .record({
    serviceBy: fc.constantFrom("app", "vip"),
    servicePort: maybe(fc.constantFrom(80, 9090)),
    versionKeys: maybe(fc.constantFrom("version", "tier")),
    status: maybe(fc.constantFrom({ UP: "DEGRADED" }, { DOWN: "DRAINING", STARTING: "UNKNOWN" })),
  })
  .map((all) => Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)));

describe("formerInstances", () => {
  it("leads back to the instances: converted again they are the same records", () => {
    fc.assert(
      fc.property(fc.array(registration, { maxLength: 5 }), settings, (registrations, chosen) => {
        fc.pre(!disagreeAboutTls(parsed(registrations), chosen));
        const records = recordsOf(parsed(registrations), chosen);
        const again = takenOver(records, chosen);
        expect(again.unplaced).toEqual([]);
        // A service without endpoints leaves nothing to lead back from.
        const full = records.filter(({ instances }) => instances.length > 0);
        expect(again.records).toEqual(full);
      }),
      { numRuns: 300 },
    );
  });

  it("finds the availability zone of an Amazon data centre again", () => {
    const [instance] = parsed([{ app: "web", id: "w1" }]);
    if (instance === undefined) throw new Error("there is no instance");
    for (const availabilityZone of ["us-east-1a", "local", ""]) {
      for (const metadata of [{}, { zone: "z" }, { region: "r" }, { region: "r", zone: "z" }]) {
        const records = recordsOf([{ ...instance, availabilityZone, metadata }], {});
        expect(takenOver(records, {}).records).toEqual(records);
      }
    }
  });

  const before = () =>
    recordsOf(
      parsed([
        { app: "web", id: "w1", port: 80, metadata: { "x.port": "9000" } },
        { app: "pay", id: "p1", port: 80, vip: "pay, bank" },
      ]),
      {},
    );

  it.each([
    [{ domain: "other" }, ["pay.other p1/port", "web.other w1/port"]],
    [{ namespace: "shop" }, ["pay.eureka p1/port", "web.eureka w1/port"]],
    [{ portKeys: { "x.port": "grpc" } }, ["pay.eureka p1/port", "web.eureka w1/x.port", "web.eureka w1/port"]],
    [{ servicePort: 7000 }, ["pay.eureka p1/port", "web.eureka w1/port"]],
    [{ apps: { exclude: ["pay"] } }, ["web.eureka w1/port"]],
    [{ status: { UP: "omit" } }, []],
  ])("converts by the rules of now: %j", (chosen, ids) => {
    const { records, unplaced } = takenOver(before(), chosen);
    expect(idsOf(records)).toEqual(ids);
    expect(unplaced).toEqual([]);
  });

  it("goes from virtual addresses to applications, and names what it cannot place the other way", () => {
    const instances = parsed([{ app: "pay", id: "p1", port: 80, vip: "pay, bank" }]);
    const byVip = recordsOf(instances, { serviceBy: "vip" });
    expect(idsOf(byVip)).toEqual(["bank.eureka PAY/p1/port", "pay.eureka PAY/p1/port"]);
    expect(idsOf(takenOver(byVip, {}).records)).toEqual(["pay.eureka p1/port"]);
    expect(takenOver(before(), { serviceBy: "vip" })).toEqual({
      records: [],
      unplaced: ["pay.eureka p1/port", "web.eureka w1/port"],
    });
  });

  it.each([
    ["another id", { id: "w2/port" }],
    ["a role that nothing has", { id: "w1/other" }],
    ["no instance in its provenance", { provenance: { registry, object: "Service web" } }],
  ])("names an endpoint with %s", (_what, change) => {
    const spoiled = before().map(({ service, instances }) => ({
      service,
      instances: instances.map((one) => (one.id === "w1/port" ? { ...one, ...change } : one)),
    }));
    const { records, unplaced } = takenOver(spoiled, {});
    expect(idsOf(records)).toEqual(["pay.eureka p1/port"]);
    expect(unplaced).toHaveLength(1);
  });
});
