/**
 * What a process does. `all`: everything, with the bus inside. `discover`: from the registries to a bus between processes.
 * `publish`: from that bus to the clients.
 */
export type Role = "all" | "discover" | "publish";
