import js from "@eslint/js";
import tseslint from "typescript-eslint";

const clockMessage = "Time is a parameter: take a Clock.";

export default tseslint.config(
  {
    ignores: [
      "**/dist/**",
      "packages/envoy-api/src/gen/**",
      "packages/envoy-api/proto/**",
      ".cache/**",
      "**/testdata/**",
    ],
  },
  js.configs.recommended,
  {
    files: ["**/*.ts"],
    extends: [...tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ["vitest.config.ts"] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      "@typescript-eslint/no-unused-vars": [
        "error",
        { argsIgnorePattern: "^_", varsIgnorePattern: "^_", ignoreRestSiblings: true },
      ],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true, allowBoolean: true }],
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/no-empty-function": "off",
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      "no-restricted-syntax": ["error", { selector: "ExportDefaultDeclaration", message: "Named exports only." }],
      "no-console": "error",
    },
  },
  {
    files: [
      "packages/{model,registry,istio-objects,aggregate,event-bus,slices,xds}/src/**/*.ts",
      "adapters/*/src/**/*.ts",
    ],
    ignores: ["**/*.test.ts", "packages/registry/src/clock.ts"],
    rules: {
      "no-restricted-globals": [
        "error",
        { name: "setTimeout", message: clockMessage },
        { name: "setInterval", message: clockMessage },
      ],
      "no-restricted-properties": ["error", { object: "Date", property: "now", message: clockMessage }],
    },
  },
  { files: ["vitest.config.ts"], rules: { "no-restricted-syntax": "off" } },
  {
    files: ["**/*.{js,mjs,cjs}"],
    languageOptions: {
      globals: { process: "readonly", console: "readonly", module: "writable", require: "readonly", fetch: "readonly" },
    },
  },
);
