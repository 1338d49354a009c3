/** The default adapter: npm's in-memory one, with the native fan-out. */
import { Adapter } from "socket.io-adapter";
import { withNativeBroadcast } from "./native-broadcast";

/** Keeps the rooms of a namespace in memory, and broadcasts through the core. */
export class InMemoryAdapter extends withNativeBroadcast(Adapter) {}

// To whoever asks an adapter what it is, it is npm's, and the server makes this class wherever that one is asked for.
Object.defineProperty(InMemoryAdapter.prototype, "constructor", {
  value: Adapter,
  configurable: true,
  writable: true,
});
