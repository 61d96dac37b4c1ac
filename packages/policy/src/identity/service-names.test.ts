import { registryId, serviceKey } from "@signalbox/model";
import { describe, expect, it } from "vitest";
import { dnsLabel } from "./dns-label.ts";
import { identify, type IdentityRule } from "./identity.ts";
import { ServiceNames } from "./service-names.ts";
import { templateFault } from "./template.ts";

const rule = (more: Partial<IdentityRule> = {}): IdentityRule => ({
  registries: ["eureka/*", "consul/*"],
  hostnames: ["*"],
  hostname: "{{name}}.prod.svc.cluster.local",
  namespace: "prod",
  aliases: [],
  gather: false,
  ...more,
});
const eureka = registryId("eureka", "main");
const consul = registryId("consul", "dc1");
const kubernetes = registryId("kubernetes", "main");
const orders = serviceKey({ namespace: "prod", hostname: "order-service.prod.svc.cluster.local" });
const own = (hostname: string, namespace = "default") => serviceKey({ namespace, hostname });

describe("dnsLabel", () => {
  it.each([
    ["ORDER-SERVICE", "order-service"],
    ["order_service", "order-service"],
    ["com:acme/orders", "com-acme-orders"],
    ["-orders-", "orders"],
    ["___", undefined],
    ["", undefined],
  ])("makes %s a label: %s", (name, label) => {
    expect(dnsLabel(name)).toBe(label);
  });

  it("cuts what is too long and keeps two long names apart", () => {
    const [one, two] = [dnsLabel(`${"a".repeat(80)}1`), dnsLabel(`${"a".repeat(80)}2`)];
    expect(one).toHaveLength(63);
    expect(two).toHaveLength(63);
    expect(one).not.toBe(two);
  });
});

describe("templateFault", () => {
  it.each([
    ["{{name}}.{{namespace}}.svc", undefined],
    ["{{ name }}", undefined],
    ["{{app}}", "{{app}} is not one of {{name}}, {{hostname}}, {{namespace}}, {{registry}}"],
    ["{name}", "braces only stand around a name, as in {{name}}"],
  ])("of %s is %s", (template, fault) => {
    expect(templateFault(template)).toBe(fault);
  });
});

describe("identify", () => {
  it.each([
    ["a rule's canonical name", eureka, "order-service.eureka", "order-service.prod.svc.cluster.local", 0],
    ["upper case away", eureka, "ORDER-SERVICE.eureka", "order-service.prod.svc.cluster.local", 0],
    ["the registry's own name where no rule is for it", kubernetes, "web.shop.svc", "web.shop.svc", undefined],
  ])("gives %s", (_case, registry, hostname, expected, index) => {
    const identity = identify([rule()], registry, { hostname, namespace: "default" });
    expect([identity.hostname, identity.rule]).toEqual([expected, index]);
  });

  it("takes the first rule that fits, and names aliases", () => {
    const rules = [
      rule({ hostnames: ["billing.*"], namespace: "money" }),
      rule({ aliases: ["{{hostname}}", "{{name}}.{{registry}}.old"] }),
    ];
    expect(identify(rules, eureka, { hostname: "orders.eureka", namespace: "default" })).toMatchObject({
      namespace: "prod",
      aliases: ["orders.eureka", "orders.main.old"],
      rule: 1,
    });
    expect(identify(rules, eureka, { hostname: "billing.eureka", namespace: "default" })).toMatchObject({
      namespace: "money",
      rule: 0,
    });
  });
});

describe("ServiceNames", () => {
  it("makes one service of what three registries call differently", () => {
    const names = new ServiceNames([rule()]);
    names.update(eureka, own("order-service.eureka"), { hostname: "order-service.eureka", namespace: "default" });
    names.update(consul, own("order-service.service.consul"), {
      hostname: "order-service.service.consul",
      namespace: "default",
    });
    names.update(kubernetes, orders, { hostname: "order-service.prod.svc.cluster.local", namespace: "prod" });
    expect(names.ownKeys(eureka, orders)).toEqual([own("order-service.eureka")]);
    expect(names.ownKeys(consul, orders)).toEqual([own("order-service.service.consul")]);
    expect(names.ownKeys(kubernetes, orders)).toEqual([orders]);
    expect(names.collisions()).toEqual([]);
  });

  it("gives a name to one of two services of a registry, and says so, whoever comes first", () => {
    const a = { hostname: "order-service.eureka", namespace: "default" };
    const b = { hostname: "order_service.eureka", namespace: "default" };
    const outcomes = [
      [a, b],
      [b, a],
    ].map((order) => {
      const names = new ServiceNames([rule()]);
      for (const service of order) names.update(eureka, serviceKey(service), service);
      return [names.collisions(), names.ownKeys(eureka, orders)];
    });
    expect(outcomes[0]).toEqual(outcomes[1]);
    expect(outcomes[0]?.[1]).toEqual([serviceKey(a)]);
    expect(outcomes[0]?.[0]).toMatchObject([{ registry: eureka, winner: serviceKey(a), loser: serviceKey(b) }]);
  });

  it("gives the name to the other one when its holder goes", () => {
    const names = new ServiceNames([rule()]);
    const [a, b] = ["order-service.eureka", "order_service.eureka"].map((hostname) => ({
      hostname,
      namespace: "default",
    })) as [{ hostname: string; namespace: string }, { hostname: string; namespace: string }];
    names.update(eureka, serviceKey(a), a);
    const renamed = [...names.update(eureka, serviceKey(b), b)];
    const lost = names.nameOf(eureka, serviceKey(b))?.key;
    expect(lost).not.toBe(orders);
    expect(renamed).toContain(lost);
    expect([...names.update(eureka, serviceKey(a), undefined)].sort()).toEqual([lost, orders].sort());
    expect(names.ownKeys(eureka, orders)).toEqual([serviceKey(b)]);
    expect(names.collisions()).toEqual([]);
  });

  it("gathers several services of a registry where the rule says so", () => {
    const names = new ServiceNames([rule({ hostname: "orders.prod.svc", gather: true })]);
    for (const hostname of ["orders-v1.eureka", "orders-v2.eureka"])
      names.update(eureka, own(hostname), { hostname, namespace: "default" });
    const key = serviceKey({ namespace: "prod", hostname: "orders.prod.svc" });
    expect(names.ownKeys(eureka, key)).toEqual([own("orders-v1.eureka"), own("orders-v2.eureka")]);
    expect(names.collisions()).toEqual([]);
  });

  it("forgets the aliases with the last service that has them", () => {
    const names = new ServiceNames([rule({ aliases: ["{{hostname}}"] })]);
    names.update(eureka, own("order-service.eureka"), { hostname: "order-service.eureka", namespace: "default" });
    expect(names.aliasesOf(orders)).toEqual(["order-service.eureka"]);
    names.update(eureka, own("order-service.eureka"), undefined);
    expect(names.aliasesOf(orders)).toEqual([]);
  });
});
