// The Jest suite: TypeScript through swc, plain Node environment, two workers.
// What is covered and how to run one side of it is told in __test__/README.md.
"use strict";

/** @type {import("jest").Config} */
module.exports = {
  testEnvironment: "node",
  testMatch: ["<rootDir>/__test__/**/*.test.ts"],
  moduleFileExtensions: ["ts", "js", "cjs", "mjs", "json", "node"],
  transform: {
    "^.+\\.ts$": [
      "@swc/jest",
      {
        jsc: { parser: { syntax: "typescript" }, target: "es2022" },
        module: { type: "commonjs" },
        sourceMaps: "inline",
      },
    ],
  },
  // Build output is never a place to look for tests or modules.
  modulePathIgnorePatterns: ["<rootDir>/target/", "<rootDir>/npm/"],
  testTimeout: 10_000,
  maxWorkers: 2,
  collectCoverage: false,
};
