/** Which answer of which cluster a record was made of; kept as the record's source version. */
export interface Mark {
  /** `X-Consul-Index` of the service. */
  readonly index: bigint;
  /** Access control hid some of its instances. */
  readonly filtered: boolean;
  /** The beginnings of the ids of the cluster's servers; empty where they are not known. */
  readonly servers: readonly string[];
}

/** Characters of a server's id that are kept: enough to tell a few servers apart. */
const idLength = 8;

/** Writes a mark: `1234`, `1234@0f6ad5c1+7a0b4f4e`, `1234f@0f6ad5c1`. */
export function formatMark(index: string, filtered: boolean, servers: Iterable<string>): string {
  const ids = [...servers].map((id) => id.slice(0, idLength)).sort();
  return `${index}${filtered ? "f" : ""}${ids.length === 0 ? "" : `@${ids.join("+")}`}`;
}

const written = /^(?<index>[0-9]{1,30})(?<filtered>f?)(?:@(?<servers>[^,]+))?$/;

/** Reads the marks of a record, one for each datacenter that it was made of. What is no mark is left out. */
export function parseMarks(sourceVersion: string | undefined): readonly Mark[] {
  return (sourceVersion ?? "").split(",").flatMap((text): Mark[] => {
    const { index, filtered, servers } = written.exec(text)?.groups ?? {};
    if (index === undefined) return [];
    return [{ index: BigInt(index), filtered: filtered === "f", servers: servers?.split("+") ?? [] }];
  });
}

/** Whether a mark may be of the cluster with these servers: at least one is the same, or nothing is known of one side. */
export function isOfCluster(mark: Mark, servers: ReadonlySet<string>): boolean {
  if (mark.servers.length === 0 || servers.size === 0) return true;
  return [...servers].some((id) => mark.servers.includes(id.slice(0, idLength)));
}
