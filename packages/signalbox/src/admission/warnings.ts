/** What the API server asks of one warning; it cuts longer ones off without a sign. */
const longest = 120;
/** The API server drops what is beyond 4096 characters together. */
const most = 30;

/** Warnings as an API server hands them on: of one line, none twice, none longer than 120 characters, not more than 31. */
export function warningTexts(messages: readonly string[]): readonly string[] {
  const texts = [...new Set(messages.map((message) => shortened(message.replaceAll(/[\p{Cc}\s]+/gu, " ").trim())))];
  if (texts.length <= most) return texts;
  return [...texts.slice(0, most), `and ${texts.length - most} more warnings`];
}

/** Ends at a word where one ends near the limit. */
function shortened(text: string): string {
  if (text.length <= longest) return text;
  let cut = text.slice(0, longest - 1);
  const space = cut.lastIndexOf(" ");
  if (space > (longest * 3) / 4) cut = cut.slice(0, space);
  // Half of a character that takes two units would be no text.
  else if (/[\uD800-\uDBFF]$/.test(cut)) cut = cut.slice(0, -1);
  return `${cut}…`;
}
