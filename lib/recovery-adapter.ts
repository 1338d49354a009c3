/** The adapter of connection state recovery: npm's, which keeps sessions and a log of packets in memory, with the native fan-out. */
import { SessionAwareAdapter } from "socket.io-adapter";
import { withNativeBroadcast } from "./native-broadcast";

/** Keeps the rooms of a namespace, the state of its disconnected sockets and what they miss in memory, and broadcasts through the core. */
export const RecoveryAdapter = withNativeBroadcast(SessionAwareAdapter);
