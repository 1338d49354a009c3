// The types of the engine, under engine.io's names.
export * from "./dist/engine/index";
