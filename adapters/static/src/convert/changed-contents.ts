import type { DocumentPart } from "@signalbox/files";
import type { PartContent } from "./file-content.ts";

type Parts = readonly DocumentPart<PartContent>[];

/** Which contents one version of a file has and another one has not, each as often as that is so. Places do not count. */
export function changedContents(before: Parts, now: Parts) {
  let start = 0;
  while (start < before.length && start < now.length && before[start]?.content === now[start]?.content) start++;
  let end = 0;
  const most = Math.min(before.length, now.length) - start;
  while (end < most && before[before.length - 1 - end]?.content === now[now.length - 1 - end]?.content) end++;
  const counts = new Map<PartContent, number>();
  for (const { content } of before.slice(start, before.length - end))
    counts.set(content, (counts.get(content) ?? 0) + 1);
  const added: PartContent[] = [];
  for (const { content } of now.slice(start, now.length - end)) {
    const left = counts.get(content) ?? 0;
    if (left > 0) counts.set(content, left - 1);
    else added.push(content);
  }
  const removed = [...counts].flatMap(([content, count]) => Array.from({ length: count }, () => content));
  return { removed, added };
}
