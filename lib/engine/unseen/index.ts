/**
 * Requests and sockets that nobody but Node and the engine has seen. They need not stay: each session keeps a few facts, and what users ask
 * for is made of them.
 *
 * | file | what it is | instead of |
 * |---|---|---|
 * | visibility.ts | whether somebody may hold a request or its socket | |
 * | hidden-request.ts | what the two kinds of hidden requests have in common | |
 * | deferred-request.ts | the request of a WebSocket that was opened directly | `IncomingMessage` |
 * | answered-request.ts | the request of a session on polling: Node's own until the session has moved to a WebSocket | `IncomingMessage` |
 * | stand-in.ts | a socket without a handle, made when somebody asks | `net.Socket` |
 * | polled-socket.ts | the facts that a stand-in is made of, under polling requests | |
 * | header-pool.ts | raw headers, with what clients have in common kept once | `rawHeaders` |
 *
 * Under a WebSocket the facts are kept by its carrier, `UnseenSocket` in husk.ts.
 */
export { AnsweredRequest } from "./answered-request";
export { DeferredRequest, type RequestSource } from "./deferred-request";
export { internHeaders } from "./header-pool";
export { HiddenRequest } from "./hidden-request";
export {
  type AcceptingServer,
  forgetSocket,
  StandIn,
  type StandInSource,
  WITHOUT_HANDLE,
} from "./stand-in";
export { isUnseen, isUnseenRequest, noteAttached, noteShown, ownListener } from "./visibility";
