/** How many services there are, and how many instances of each. */
export interface FleetSize {
  readonly services: number;
  readonly instances: number;
}

/** One instance of the fleet. */
export interface FleetInstance {
  readonly service: string;
  /** Unique in the whole fleet. */
  readonly id: string;
  readonly ip: string;
  readonly port: number;
  readonly node: string;
  readonly zone: string;
}

/** Where something runs. */
export interface FleetNode {
  readonly name: string;
  readonly ip: string;
  readonly zone: string;
}

const zones = ["zone-a", "zone-b", "zone-c"];
const instancesPerNode = 100;
/** Where instances move to in the measurement of changes. No instance begins there. */
const newHomes = "10.200.";

/** The same fleet in every source and every run: names and addresses follow from the numbers alone. */
export class Fleet {
  readonly size: FleetSize;
  readonly nodes: readonly FleetNode[];

  constructor(size: FleetSize) {
    this.size = size;
    const count = Math.max(zones.length, Math.ceil((size.services * size.instances) / instancesPerNode));
    this.nodes = Array.from({ length: count }, (_, index) => ({
      name: `bench-node-${pad(index, 4)}`,
      ip: `10.100.${bytes(index)}`,
      zone: zones[index % zones.length] ?? "",
    }));
  }

  /** The name of a service. */
  service(index: number): string {
    return `service-${pad(index, 5)}`;
  }

  /** All instances of one service. */
  instancesOf(service: number): readonly FleetInstance[] {
    const name = this.service(service);
    return Array.from({ length: this.size.instances }, (_, position) => {
      const number = service * this.size.instances + position;
      const { name: node, zone } = this.nodes[number % this.nodes.length] ?? { name: "", zone: "" };
      const ip = `10.${1 + Math.floor(number / 65_536)}.${bytes(number % 65_536)}`;
      return { service: name, id: `${name}-${pad(position, 3)}`, ip, port: 8080, node, zone };
    });
  }

  /** The address that the first instance of a service takes in the change with this number. */
  newHome(change: number): string {
    return `${newHomes}${bytes(change)}`;
  }
}

/** Whether an address is one that an instance moved to. */
export function isNewHome(ip: string): boolean {
  return ip.startsWith(newHomes);
}

function pad(number: number, digits: number): string {
  return String(number).padStart(digits, "0");
}

function bytes(number: number): string {
  return `${Math.floor(number / 256)}.${number % 256}`;
}
