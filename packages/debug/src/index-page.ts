import type { Page } from "./answer.ts";

/** The HTML index of all pages. */
export function indexHtml(pages: readonly Page[]): string {
  const rows = pages.map(
    ({ path, help }) => `<tr><td><a href="${escape(path)}">${escape(path)}</a></td><td>${escape(help)}</td></tr>`,
  );
  return [
    "<!doctype html>",
    '<html lang="en"><head><meta charset="utf-8"><title>Signalbox debug</title></head><body>',
    "<h1>Signalbox debug</h1>",
    "<p>All pages only read. Add <code>?pretty</code> to indent JSON.</p>",
    '<table border="1" cellpadding="6">',
    ...rows,
    "</table></body></html>",
    "",
  ].join("\n");
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
