/** Istio's cluster for traffic that must go nowhere. */
export const blackHoleCluster = "BlackHoleCluster";
/** Istio's cluster that sends a captured connection where it wanted to go. */
export const passthroughCluster = "PassthroughCluster";
/** Istio's cluster that hands a captured inbound connection to the application. */
export const inboundPassthroughCluster = "InboundPassthroughCluster";

/** Istio's cluster name for a port of a service; `subset` is empty for the whole service. */
export function outboundCluster(port: number, hostname: string, subset = ""): string {
  return `outbound|${String(port)}|${subset}|${hostname}`;
}

/** Istio's name of the cluster behind an inbound port. */
export function inboundCluster(port: number): string {
  return `inbound|${String(port)}||`;
}

/**
 * The names under which a client with this DNS domain may call the host: the full name first, then the names that the
 * resolver's search list completes. With the domain `shop.svc.cluster.local`, `web.shop.svc.cluster.local` is also
 * `web`, `web.shop.svc` and `web.shop`; `web.pay.svc.cluster.local` is also `web.pay` and `web.pay.svc`.
 */
export function requestNames(hostname: string, dnsDomain: string): readonly string[] {
  const domain = dnsDomain.split(".");
  const service = domain.indexOf("svc");
  if (service < 0) return [hostname];
  const suffix = `.${domain.slice(service).join(".")}`;
  if (!hostname.endsWith(suffix)) return [hostname];
  const inNamespace = hostname.slice(0, -suffix.length);
  const dot = inNamespace.lastIndexOf(".");
  if (dot < 1) return [hostname];
  const short = inNamespace.slice(0, dot);
  const names = [hostname, `${inNamespace}.svc`, inNamespace];
  return inNamespace.slice(dot + 1) === domain.slice(0, service).join(".") ? [...names, short] : names;
}

/** An address as a URL authority writes it: IPv6 in brackets. */
export function authorityOf(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}
