import { canonicalIp, isIpAddress } from "@signalbox/model";

/** An address as a person wrote it, in the spelling of `instanceKey`. Without a port it stands for all ports of its host. */
export interface AskedAddress {
  readonly text: string;
  readonly hasPort: boolean;
}

/** Reads `10.0.0.1:80`, `10.0.0.1`, `[2001:db8::1]:80`, `2001:db8::1`, `db.example.com:5432` or `unix:/run/app.sock`. */
export function parseAddress(text: string): AskedAddress {
  if (text.startsWith("unix:")) return { text, hasPort: true };
  if (text.includes(":") && isIpAddress(text)) return { text: `[${canonicalIp(text)}]`, hasPort: false };
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = bracketed === undefined ? (plain ?? text).toLowerCase() : `[${canonicalIp(bracketed)}]`;
  return port === undefined ? { text: host, hasPort: false } : { text: `${host}:${Number(port)}`, hasPort: true };
}

/** Whether an address, as `instanceKey` writes it, is the one asked for. */
export function isAsked({ text, hasPort }: AskedAddress, address: string): boolean {
  return hasPort ? address === text : hostOf(address) === text;
}

/** The part of an address before its port. */
export function hostOf(address: string): string {
  return address.startsWith("unix:") ? address : address.slice(0, address.lastIndexOf(":"));
}
