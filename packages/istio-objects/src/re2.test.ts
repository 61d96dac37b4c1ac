import { describe, expect, it } from "vitest";
import { re2Fault } from "./re2.ts";

describe("re2Fault", () => {
  it.each([
    ["", "nothing"],
    ["^/v1/[a-z0-9-]+(?:/.*)?$", "what most patterns have"],
    ["(?i)get|(?-i:POST)", "flags"],
    ["(?P<user>\\w+)@(?<host>\\w+)", "both forms of names"],
    ["(?P<n>a)(?P<n>b)", "one name twice, which Istio lets pass"],
    ["\\Q*[(\\E+", "a literal part, whose last character repeats"],
    ["\\Q*[(", "a literal part without end"],
    ["\\pN\\p{Greek}\\P{lowercase_letter}\\p{^Lu}", "Unicode classes in any spelling"],
    ["[[:alpha:][:^digit:]\\d\\pL-]", "classes in a class"],
    ["[]a][^]a][a\\]-][[:x]", "brackets in a class"],
    ["\\x41\\x{1F600}\\012\\a\\_", "escaped characters"],
    ["x{2}y{2,}z{0,1000}", "counted repetitions"],
    ["x{,2}{01}x{a}", "braces that count nothing"],
    ["(a{30}){33}", "copies of copies up to the bound"],
    ["(a{1000}){0}|(b{1000}){1}", "copies that are not multiplied"],
    ["a*?b+?c??d{2}?", "repetitions that take little"],
    ["()*|^*|\\b+", "repetitions of nothing"],
    ["a*(?i)*", "a repetition after flags"],
  ])("takes %s: %s", (pattern) => {
    expect(re2Fault(pattern)).toBeUndefined();
  });

  it.each([
    ["(?=a)", "(?="],
    ["(?!a)", "(?!"],
    ["(?<=a)b", '"(?<='],
    ["(?<n", "(?<"],
    ["(?P=n)", "not known to RE2"],
    ["(?P<a-b>x)", "a name has letters"],
    ["(?i-)a", "not known to RE2"],
    ["(a)\\1", "backreferences"],
    ["\\C", "not an escape"],
    ["\\é", "not an escape"],
    ["\\x4", "not an escape"],
    ["\\x{110000}", "not an escape"],
    ["a\\", "escapes nothing"],
    ["[\\b]", "not an escape"],
    ["*a", "nothing to repeat"],
    ["a|*", "nothing to repeat"],
    ["(+)", "nothing to repeat"],
    ["(?i)*", "nothing to repeat"],
    ["a**", "repeats a repetition"],
    ["a+?+", "repeats a repetition"],
    ["a{1001}", "the counts are 0 to 1000"],
    ["a{3,2}", "the counts are 0 to 1000"],
    ["(a{32}){32}", "more than 1000 copies"],
    ["((a{10}b){10}){11}", "more than 1000 copies"],
    ["[a", "a [ has no ]"],
    ["[", "a [ has no ]"],
    ["[z-a]", "runs backwards"],
    ["[[:word:][:nope:]]", '"[:nope:]"'],
    ["\\p{Nope}", "Unicode class"],
    ["\\p{Old_Italic}", "Unicode class"],
    ["\\p", "Unicode class"],
    ["(a", "a ( has no )"],
    ["a)", "a ) has no ("],
    ["\uD800", "not valid Unicode"],
  ])("refuses %s: %s", (pattern, reason) => {
    expect(re2Fault(pattern)).toContain(reason);
  });
});
