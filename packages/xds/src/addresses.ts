import { BlockList, isIP, SocketAddress } from "node:net";
import type { Service } from "@signalbox/model";

/** A range of addresses that a filter chain can match. */
export interface AddressRange {
  readonly prefix: string;
  readonly length: number;
}

/** Virtual addresses of a service that Envoy can use: single addresses, and ranges. Anything else in the list is left out. */
export function serviceAddresses(service: Service): {
  readonly addresses: readonly string[];
  readonly ranges: readonly AddressRange[];
} {
  const addresses: string[] = [];
  const ranges: AddressRange[] = [];
  for (const text of service.addresses) {
    const range = addressRange(text);
    if (range === undefined) continue;
    const { prefix, length } = range;
    const family = isIP(prefix);
    if (length < bitsIn(family)) ranges.push(range);
    else if (!unspecified.check(prefix, family === 4 ? "ipv4" : "ipv6") && !addresses.includes(prefix))
      addresses.push(prefix);
  }
  return { addresses, ranges };
}

/** The range that a text such as `10.0.0.0/8` or `10.0.0.1` names; undefined where Envoy could not use it. */
export function addressRange(text: string): AddressRange | undefined {
  const [written = "", mask, ...rest] = text.split("/");
  const family = isIP(written);
  if (family === 0 || rest.length > 0 || written.includes("%")) return undefined;
  const prefix = family === 4 ? written : new SocketAddress({ address: written, family: "ipv6" }).address;
  const length = mask === undefined ? bitsIn(family) : /^\d{1,3}$/.test(mask) ? Number(mask) : -1;
  return length < 0 || length > bitsIn(family) ? undefined : { prefix, length };
}

function bitsIn(family: number): number {
  return family === 4 ? 32 : 128;
}

/** Equal for two ranges that hold the same addresses, whatever bits stand behind the prefix. */
export function rangeKey({ prefix, length }: AddressRange): string {
  return `${bitsOf(prefix).slice(0, length)}/${String(length)}/${String(isIP(prefix))}`;
}

/** Is it an address of this machine's loopback? */
export function isLoopback(address: string): boolean {
  const family = isIP(address);
  return family !== 0 && loopback.check(address, family === 4 ? "ipv4" : "ipv6");
}

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");
const unspecified = new BlockList();
unspecified.addAddress("0.0.0.0", "ipv4");
unspecified.addAddress("::", "ipv6");

function bitsOf(address: string): string {
  if (isIP(address) === 4)
    return address
      .split(".")
      .map((part) => Number(part).toString(2).padStart(8, "0"))
      .join("");
  const embedded = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  const hex = (high: string | undefined, low: string | undefined) => (Number(high) * 256 + Number(low)).toString(16);
  const plain =
    embedded === null
      ? address
      : `${embedded[1] ?? ""}${hex(embedded[2], embedded[3])}:${hex(embedded[4], embedded[5])}`;
  const [head = "", tail] = plain.split("::");
  const front = head === "" ? [] : head.split(":");
  const back = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = Array.from({ length: 8 - front.length - back.length }, () => "0");
  const groups = tail === undefined ? front : [...front, ...zeros, ...back];
  return groups.map((group) => Number.parseInt(group, 16).toString(2).padStart(16, "0")).join("");
}
