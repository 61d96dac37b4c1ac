/** The namespace of all. */
export const namespace = "prod";

/** The port on which every pod answers. */
export const port = 8080;

/** The service that is called, and the port that callers name. */
export const orders = { name: "orders", host: "orders.prod.svc.cluster.local", port: 80 } as const;

/** The service whose pod gets an address that was one of `orders`. */
export const billing = { name: "billing", host: "billing.prod.svc.cluster.local" } as const;

/** Pods of `orders` as it was, which live on: they register with Eureka, and no Service of the cluster selects them. */
export const living = ["10.40.0.1", "10.40.0.2", "10.40.0.3"] as const;

/** The old pod that dies. Its address then belongs to a pod of `billing`. */
export const doomed = "10.40.0.4";

/** All of `orders` that are there at the start and register with Eureka. */
export const oldPods = [...living, doomed] as const;

/** An old pod that comes while the cluster cannot be read. */
export const late = "10.40.0.5";

/**
 * Pods of `orders` as it shall be: behind a Service of the cluster, and unknown to Eureka. They are not as many as the old ones that live on, so
 * that a share shows whether it depends on that.
 */
export const newPods = ["10.40.1.1", "10.40.1.2"] as const;

/** The pod of `billing` from the start. */
export const billingPod = "10.40.2.1";

/** All addresses of the network. */
export const addresses: readonly string[] = [...oldPods, late, ...newPods, billingPod];

/** What the pod of a service at an address answers. */
export function answerOf(service: string, address: string): string {
  return `${service} ${address}`;
}
