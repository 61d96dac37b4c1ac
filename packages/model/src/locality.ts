import type { Locality } from "./service.ts";

/**
 * Reads Istio's `region/zone/subzone`. Missing parts are empty; all after the second slash is the subzone.
 * The empty text is the locality of which nothing is known.
 */
export function parseLocality(text: string): Locality {
  const [region = "", zone = "", ...rest] = text.split("/");
  return { region, zone, subzone: rest.join("/") };
}

/** Writes `region/zone/subzone` without empty parts at the end. `parseLocality` reads back the same locality. */
export function formatLocality(locality: Locality): string {
  const { region, zone, subzone } = locality;
  if (subzone !== "") return `${region}/${zone}/${subzone}`;
  return zone !== "" ? `${region}/${zone}` : region;
}
