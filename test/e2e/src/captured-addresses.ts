/** Where everything is in the network of a captured sidecar. The services' own addresses are nobody's: only the sidecar knows what they stand for. */
export const addresses = {
  app: "10.244.1.1",
  v1: "10.244.2.1",
  v2: "10.244.2.2",
  tcp: "10.244.3.1",
  outside: "10.99.0.1",
  vips: { reviews: "240.0.0.1", own: "240.0.0.2", database: "240.0.0.3" },
} as const;
