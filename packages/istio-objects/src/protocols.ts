import { isHttp, parseProtocol } from "@signalbox/model";

/** Checks the protocol of a port as objects of Istio name it. Gives what is wrong, or undefined. */
export function protocolFault(protocol: string): string | undefined {
  return isIstioProtocol(protocol) ? undefined : `"${protocol}" is not a known protocol`;
}

/** Whether requests of the protocol are HTTP in plain text; Istio counts its `HTTP_PROXY` among them. */
export function isPlainHttp(protocol: string): boolean {
  return isIstioProtocol(protocol) && (protocol.toLowerCase() === "http_proxy" || isHttp(parseProtocol(protocol)));
}

/** Whether a port of the protocol speaks TLS: HTTPS or TLS. */
export function isOverTls(protocol: string): boolean {
  const parsed = parseProtocol(protocol);
  return parsed === "HTTPS" || parsed === "TLS";
}

/** The model also reads `h2c`, which Istio does not; and it has no protocol for `http_proxy`, which Istio allows. */
function isIstioProtocol(protocol: string): boolean {
  const name = protocol.toLowerCase();
  return name === "http_proxy" || (name !== "h2c" && parseProtocol(name) !== "UNSUPPORTED");
}
