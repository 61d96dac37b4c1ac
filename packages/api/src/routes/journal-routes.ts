import { limit, time } from "../parameters.ts";
import { configured, route } from "../route.ts";
import type { Route } from "../route.ts";

/** What happened, in its order. */
export const journalRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/v1/journal",
    operation: "readJournal",
    summary: "Entries of the journal with from ≤ at < to, by sequence.",
    query: { from: time.optional(), to: time.optional(), limit },
    answer: "JournalList",
    refuses: ["SBX_NOT_CONFIGURED"],
    handle: async ({ query }, context) => {
      const { from, limit: most, to } = query;
      // One more than asked for tells whether there are more.
      const rows = await configured(context, "journal").journal({
        ...(from !== undefined && { from }),
        ...(to !== undefined && { to }),
        limit: most + 1,
      });
      const items = rows.slice(0, most).map(({ at, detail, kind, sequence }) => ({ sequence, at, kind, detail }));
      return { items, more: rows.length > most };
    },
  }),
];
