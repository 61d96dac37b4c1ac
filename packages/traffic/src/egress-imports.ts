import { hostsMatch, isWildcard } from "./host-name.ts";
import type { Imports } from "./rule-book.ts";

/** What a Sidecar's egress listener lets its clients know. */
export interface EgressImports {
  /** Whether VirtualServices are known: one of their hosts has a name in common with an imported one. */
  readonly routing: Imports;
  /** Whether a service is known: an imported host is its own or covers it. */
  service(hostname: string, namespace: string): boolean;
}

interface Entry {
  /** `*` is every namespace. */
  readonly namespace: string;
  readonly host: string;
  readonly excluded: boolean;
}

/**
 * Reads the hosts of an egress listener for clients of a namespace: `namespace/host`, where the namespace may be `*` (all), `.` (the
 * client's), and `~` before it takes out what other entries let in. Entries of another form are passed over.
 */
export function importsOf(hosts: readonly string[], namespace: string): EgressImports {
  const entries = hosts.flatMap((written) => entryOf(written, namespace) ?? []);
  const about = (owner: string) => entries.filter((one) => one.namespace === "*" || one.namespace === owner);
  const known = (host: string, owner: string, matches: (host: string, imported: string) => boolean): boolean => {
    const relevant = about(owner);
    return (
      relevant.some((one) => !one.excluded && matches(host, one.host)) &&
      !relevant.some((one) => one.excluded && covers(one.host, host))
    );
  };
  return {
    routing: (routing) => routing.hosts.some((host) => known(host, routing.namespace, hostsMatch)),
    service: (hostname, owner) => known(hostname.toLowerCase(), owner, (host, imported) => covers(imported, host)),
  };
}

function entryOf(written: string, namespace: string): Entry | undefined {
  const [scope = "", host, ...more] = written.split("/");
  if (host === undefined || more.length > 0) return undefined;
  const excluded = scope.startsWith("~");
  const from = excluded ? scope.slice(1) || "*" : scope;
  return { namespace: from === "." ? namespace : from, host: host.toLowerCase(), excluded };
}

/** Whether every name of `host` is one of `imported`. */
function covers(imported: string, host: string): boolean {
  if (isWildcard(host) && (!isWildcard(imported) || host.length < imported.length)) return imported === host;
  return hostsMatch(imported, host);
}
