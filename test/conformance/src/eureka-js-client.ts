import { Eureka } from "eureka-js-client";

/** An instance as eureka-js-client registers it. */
export interface JsInstance {
  /** Service URL, up to and including `/eureka`. */
  readonly url: string;
  readonly app: string;
  readonly id: string;
  readonly ip: string;
  readonly port: number;
}

const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** A registration by an independent client, which keeps it alive with heartbeats until it is stopped. */
export class JsRegistration {
  readonly #client: Eureka;

  private constructor(client: Eureka) {
    this.#client = client;
  }

  /** Registers the instance and begins with heartbeats. */
  static async start({ url, app, id, ip, port }: JsInstance): Promise<JsRegistration> {
    const { hostname, port: serverPort, pathname } = new URL(url);
    const client = new Eureka({
      logger: silent,
      instance: {
        app,
        instanceId: id,
        hostName: ip,
        ipAddr: ip,
        port: { $: port, "@enabled": true },
        vipAddress: app,
        dataCenterInfo: { "@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", name: "MyOwn" },
      },
      eureka: {
        host: hostname,
        port: Number(serverPort),
        servicePath: `${pathname.replace(/\/+$/, "")}/apps/`,
        registerWithEureka: true,
        fetchRegistry: false,
        maxRetries: 1,
      },
    });
    await called((done) => client.start(done));
    return new JsRegistration(client);
  }

  /** Registers again, as it does by itself when a heartbeat meets a server that does not know it. */
  async again(): Promise<void> {
    await called((done) => this.#client.register(done));
  }

  /** Ends the heartbeats and deregisters; a server that is gone or forgot the instance is no error. */
  async stop(): Promise<void> {
    await called((done) => this.#client.stop(() => done()));
  }
}

function called(call: (done: (error?: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    call((error) => {
      if (error == null) resolve();
      else reject(error);
    });
  });
}
