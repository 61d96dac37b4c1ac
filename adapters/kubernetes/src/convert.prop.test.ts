import fc from "fast-check";
import { registryId, validateRecord } from "@signalbox/model";
import { describe, expect, it } from "vitest";
import { convertService, type ClusterView } from "./convert.ts";
import { readPod, readService, readSlice, type KubeSlice } from "./convert/objects.ts";
import { slicesOfEndpoints } from "./convert/derive.ts";
import { MalformedObjectError } from "./convert/raw.ts";

const context = {
  registry: registryId("kubernetes", "test"),
  cluster: "test",
  network: "",
  domain: "cluster.local",
  trustDomain: "td",
};
const nothing: ClusterView = { pod: () => undefined, node: () => undefined, service: () => undefined };

const service = readService(
  {
    metadata: { name: "web", namespace: "a" },
    spec: {
      clusterIP: "10.96.0.1",
      ports: [
        { name: "http", port: 80 },
        { name: "grpc", port: 81 },
      ],
    },
  },
  () => {},
);

const endpoint = (ipv6: boolean) =>
  fc.record({
    addresses: fc.array(
      fc.integer({ min: 1, max: 4 }).map((last) => (ipv6 ? `2001:db8::${last}` : `10.1.0.${last}`)),
      { maxLength: 2 },
    ),
    conditions: fc.record(
      { ready: fc.boolean(), serving: fc.boolean(), terminating: fc.boolean() },
      { requiredKeys: [] },
    ),
    targetRef: fc.option(fc.record({ kind: fc.constant("Pod"), name: fc.constantFrom("p1", "p2") }), {
      nil: undefined,
    }),
  });

const slices = fc
  .array(
    fc.boolean().chain((ipv6) =>
      fc.record({
        addressType: fc.constant(ipv6 ? "IPv6" : "IPv4"),
        ports: fc.uniqueArray(
          fc.record({ name: fc.constantFrom("http", "grpc", "other"), port: fc.integer({ min: 8080, max: 8081 }) }),
          { selector: ({ name }) => name },
        ),
        endpoints: fc.array(endpoint(ipv6), { maxLength: 4 }),
      }),
    ),
    { maxLength: 4 },
  )
  .map((list) =>
    list.flatMap((content, index): KubeSlice[] => {
      const metadata = { name: `s${index}`, namespace: "a", labels: { "kubernetes.io/service-name": "web" } };
      const slice = readSlice({ metadata, ...content }, () => {});
      return slice === undefined ? [] : [slice];
    }),
  );

describe("the conversion of EndpointSlices", () => {
  it("gives a valid record with every address of a known port, whatever the order of the slices", () => {
    fc.assert(
      fc.property(slices, (list) => {
        const record = convertService(service, list, nothing, context);
        expect(validateRecord(record)).toEqual([]);
        expect(convertService(service, [...list].reverse(), nothing, context)).toEqual(record);
        const told = new Set(
          record.instances.flatMap(({ addresses, servicePort }) =>
            addresses.map((address) => (address.type === "ip" ? `${servicePort} ${address.ip} ${address.port}` : "")),
          ),
        );
        const known = new Set(
          list.flatMap(({ endpoints, ports }) =>
            ports
              .filter(({ name }) => name !== "other")
              .flatMap(({ name, number }) =>
                endpoints.flatMap(({ addresses }) => addresses.map((address) => `${name} ${address} ${number}`)),
              ),
          ),
        );
        expect(told).toEqual(known);
      }),
      { numRuns: 200 },
    );
  });

  it("takes any junk for an object, or refuses it with a MalformedObjectError", () => {
    const key = fc.constantFrom(
      "metadata",
      "name",
      "namespace",
      "labels",
      "kubernetes.io/service-name",
      "spec",
      "ports",
      "endpoints",
      "addresses",
      "subsets",
    );
    const { junk } = fc.letrec<{ junk: unknown }>((tie) => ({
      junk: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom<unknown>("a", "", "10.0.0.1", 0, 80, 70_000, null, true, undefined),
        fc.array(tie("junk"), { maxLength: 3 }),
        fc.dictionary(key, tie("junk"), { maxKeys: 4 }),
      ),
    }));
    const readers = [readService, readSlice, readPod, slicesOfEndpoints];
    fc.assert(
      fc.property(junk, fc.constantFrom(...readers), (value, read) => {
        const metadata = { name: "x", namespace: "a", labels: { "kubernetes.io/service-name": "x" } };
        for (const object of [
          value,
          { metadata, spec: value, endpoints: value, ports: value, subsets: value, status: value },
        ]) {
          try {
            read(object, () => {});
          } catch (error) {
            expect(error).toBeInstanceOf(MalformedObjectError);
          }
        }
      }),
      { numRuns: 200 },
    );
  });
});
