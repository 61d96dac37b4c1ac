/** What may follow in a header value, by the form that Envoy's formatter takes: `text`, `%%`, `%NAME%`, `%NAME(text)%`, `%NAME(["a", "b"])%`. */
type State = "text" | "name" | "arguments" | "item" | "string" | "after-item" | "after-list" | "after-arguments";

type Step = State | { readonly fault: string };

const steps: Readonly<Record<Exclude<State, "text" | "string">, (character: string) => Step>> = {
  name: (character) => (character === "%" ? "text" : character === "(" ? "arguments" : "name"),
  arguments: (character) => (character === "[" ? "item" : character === " " ? "arguments" : "string"),
  item: (character) => (character === '"' ? "string" : character === " " ? "item" : { fault: 'expects "' }),
  "after-item": (character) => {
    if (character === ",") return "item";
    return character === "]" ? "after-list" : character === " " ? "after-item" : { fault: "expects , or ]" };
  },
  "after-list": (character) =>
    character === ")" ? "after-arguments" : character === " " ? "after-list" : { fault: "expects )" },
  "after-arguments": (character) =>
    character === "%" ? "text" : character === " " ? "after-arguments" : { fault: "expects %" },
};

/** Checks the value of a header that Envoy formats: no control characters, and every `%` doubled or part of a variable. */
export function headerValueFault(value: string): string | undefined {
  // eslint-disable-next-line no-control-regex -- They are what is looked for.
  if (/[\0-\x08\n-\x1f\x7f]/.test(value)) return "must not have control characters";
  let state = "text" as State;
  for (let index = 0; index < value.length; index++) {
    const character = value.charAt(index);
    if (state === "text") {
      if (character !== "%") continue;
      if (index + 1 === value.length) return "ends with a single %: write %%";
      if (value[index + 1] === "%") index++;
      else state = "name";
    } else if (state === "string") {
      if (character === "\\") {
        if (index + 1 === value.length) return "ends within a variable";
        index++;
      } else if (character === ")") state = "after-arguments";
      else if (character === '"') state = "after-item";
    } else {
      const step: Step = steps[state](character);
      if (typeof step === "object") return `has a variable that is not %NAME(…)%: ${step.fault} at ${index + 1}`;
      state = step;
    }
  }
  return state === "text" ? undefined : "has a variable without its closing %: write %% for a percent sign";
}
