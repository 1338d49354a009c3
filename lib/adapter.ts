/** The default adapter: npm's in-memory one, with the native fan-out. */
import { Adapter } from "socket.io-adapter";
import { withNativeBroadcast } from "./native-broadcast";

/** Keeps the rooms of a namespace in memory, and broadcasts through the core. */
export const InMemoryAdapter = withNativeBroadcast(Adapter);
