import { serviceKey, type ServiceKey } from "@signalbox/model";
import type { Problem } from "@signalbox/registry";
import type { Malformation, SourceService, SourceWorld } from "@signalbox/registry/conformance";
import { hostnameOf } from "../convert/names.ts";
import { FakeEureka } from "./fake-eureka.ts";

/** A fake Eureka in the hands of the contract suite. */
export class FakeWorld implements SourceWorld {
  readonly eureka: FakeEureka;
  readonly secret = "correct-horse-battery";

  constructor(eureka: FakeEureka) {
    this.eureka = eureka;
    eureka.credentials = `reader:${this.secret}`;
  }

  static async open(): Promise<FakeWorld> {
    return new FakeWorld(await FakeEureka.open());
  }

  set({ name, port, instances }: SourceService): Promise<ServiceKey> {
    const names = new Set(instances.map((instance) => instance.name));
    this.eureka.cancelWhere((app, id) => app === name.toUpperCase() && !names.has(id));
    for (const { name: id, ip, labels = {} } of instances)
      this.eureka.register({ app: name, id, ip, port, metadata: labels });
    return Promise.resolve(serviceKey({ namespace: "default", hostname: hostnameOf(name, "eureka") }));
  }

  remove(name: string): Promise<void> {
    this.eureka.cancelWhere((app) => app === name.toUpperCase());
    return Promise.resolve();
  }

  touch(): Promise<void> {
    return Promise.resolve();
  }

  together(changes: () => Promise<void>): Promise<void> {
    // The clock stands still meanwhile, so no poll comes in between.
    return changes();
  }

  async break(problem: Problem): Promise<void> {
    if (problem === "UNREACHABLE") await this.eureka.stop();
    else if (problem === "AUTH_FAILED") this.eureka.credentials = "somebody:else";
    else this.eureka.mood = { type: "says", status: 200, headers: { "content-type": "text/html" }, body: "<html>" };
  }

  truncate(): Promise<void> {
    this.eureka.mood = { type: "cuts" };
    return Promise.resolve();
  }

  stall(): Promise<void> {
    this.eureka.mood = { type: "hangs" };
    return Promise.resolve();
  }

  async mend(): Promise<void> {
    this.eureka.credentials = `reader:${this.secret}`;
    this.eureka.mend();
    if ((await this.eureka.connections()) === 0) await this.restart();
  }

  async restart(): Promise<void> {
    await this.eureka.stop();
    this.eureka.forgetChanges();
    await this.eureka.start();
  }

  malform(kind: Malformation): Promise<void> {
    const bad = { app: "bad", id: `bad-${kind}`, port: 8080 };
    switch (kind) {
      case "object":
        this.eureka.junk.push(["no", "instance"]);
        break;
      case "port":
        this.eureka.register({ ...bad, port: 70_000 });
        break;
      case "weight":
        this.eureka.register({ ...bad, metadata: { weight: "-1" } });
        break;
      case "address":
        this.eureka.register({ ...bad, ip: "10.0.0.999", hostName: "not a name!" });
        break;
    }
    return Promise.resolve();
  }

  close(): Promise<void> {
    return this.eureka.stop();
  }

  connections(): Promise<number> {
    return this.eureka.connections();
  }
}
