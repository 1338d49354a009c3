// The types of dist/, which are socket.io's with their four generics.
export * from "./dist/index";
