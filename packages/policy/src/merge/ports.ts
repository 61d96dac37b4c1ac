import type { Port } from "@signalbox/model";

/** Under which name of the merged ports each port of one registry is there, by its own name. */
export type PortNames = ReadonlyMap<string, string>;

/**
 * Adds the ports of one registry to the merged ones, which it changes, and answers under which name each of them is there; a port that
 * is left out is not in the answer.
 *
 * Ports are the same where their names are equal. A port with another name but a number that is already there is that port under another
 * name, unless the registry uses that name for another number: then the numbers contradict each other, what was there first wins,
 * and the port with its endpoints is left out.
 */
export function addPorts(merged: Port[], added: readonly Port[]): PortNames {
  const names = new Map<string, string>();
  const own = new Set(added.map((port) => port.name));
  const before = [...merged];
  for (const port of added) {
    if (names.has(port.name)) continue;
    const sameNumber = before.find((other) => other.number === port.number);
    if (before.some((other) => other.name === port.name)) {
      names.set(port.name, port.name);
    } else if (sameNumber === undefined) {
      merged.push(port);
      names.set(port.name, port.name);
    } else if (!own.has(sameNumber.name)) {
      names.set(port.name, sameNumber.name);
    }
  }
  return names;
}

/** Answers as `addPorts` does, but adds none: a port that is not there already is left out. */
export function findPorts(merged: readonly Port[], sought: readonly Port[]): PortNames {
  const names = addPorts([...merged], sought);
  return new Map([...names].filter(([, name]) => merged.some((port) => port.name === name)));
}
