import { change, delta, lost, mesh, one, sides, sync, wanted } from "./cell-parts.ts";
import type { Cell } from "./cell.ts";

const number = (value: number): string => value.toLocaleString("en-US");

interface Size {
  readonly services: number;
  readonly endpoints: number;
  readonly clients: number;
  readonly seconds: number;
  readonly besideSeconds: number;
}

/** The sizes and numbers of clients that are measured with delta clients by default, in the state of the world; by name only. */
export const sizeCells: readonly Cell[] = [
  { name: "endpoint-100-sotw", services: 100, endpoints: 10, clients: 100, seconds: 5, besideSeconds: 5 },
  { name: "endpoint-1000x100-sotw", services: 1000, endpoints: 100, clients: 100, seconds: 6, besideSeconds: 8 },
  { name: "endpoint-10000-sotw", services: 10_000, endpoints: 10, clients: 100, seconds: 20, besideSeconds: 30 },
  { name: "clients-1-sotw", services: 1000, endpoints: 10, clients: 1, seconds: 4, besideSeconds: 3 },
  { name: "clients-500-sotw", services: 1000, endpoints: 10, clients: 500, seconds: 10, besideSeconds: 15 },
  { name: "clients-1000-sotw", services: 1000, endpoints: 10, clients: 1000, seconds: 20, besideSeconds: 30 },
].map(cellOf);

function cellOf({ name, ...size }: Size & { readonly name: string }): Cell {
  const { besideSeconds, clients, endpoints, seconds, services } = size;
  const who = clients === 1 ? "one client" : `${number(clients)} clients`;
  return {
    name,
    about: `one endpoint, ${number(services)} × ${number(endpoints)}, ${who}, state of the world`,
    ...sides(mesh(services, endpoints), delta(clients, one("endpoint", 10), { mode: "sotw" })),
    wanted: wanted([...sync, ...change], lost),
    seconds,
    besideSeconds,
    onlyByName: true,
  };
}
