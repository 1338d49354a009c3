/**
 * The names of members of the socket.io layer's objects that socket.io's own do not have.
 *
 * Users may put any name on a server, a namespace, a socket or an adapter, in classes of their own and in augmented interfaces too, so what
 * socket.io has not is kept under symbols. `#private` would be out of reach through a Proxy or `Object.create`, which people put around
 * sockets. At most 100 names: V8 keeps an object of exports with more than 128 as a slow dictionary.
 */

// Server
export const engines: unique symbol = Symbol("engines");
export const drained: unique symbol = Symbol("drained");
export const makeAdapter: unique symbol = Symbol("makeAdapter");
export const announceNamespace: unique symbol = Symbol("announceNamespace");
export const makeParent: unique symbol = Symbol("makeParent");
export const drainEngines: unique symbol = Symbol("drainEngines");

// Namespace
export const broadcastAcks: unique symbol = Symbol("broadcastAcks");
export const decide: unique symbol = Symbol("decide");
export const operator: unique symbol = Symbol("operator");

// ParentNamespace
export const removeWhenEmpty: unique symbol = Symbol("removeWhenEmpty");

// Socket: every event
export const reachChanged: unique symbol = Symbol("reachChanged");
export const hasOutgoingListeners: unique symbol = Symbol("hasOutgoingListeners");
export const notifyAnyListeners: unique symbol = Symbol("notifyAnyListeners");

// Socket: what it remembers
export const data: unique symbol = Symbol("data");
export const acks: unique symbol = Symbol("acks");
export const middlewares: unique symbol = Symbol("middlewares");
export const flags: unique symbol = Symbol("flags");
export const forgetAck: unique symbol = Symbol("forgetAck");
export const takeFlags: unique symbol = Symbol("takeFlags");

// Socket
export const handshake: unique symbol = Symbol("handshake");
export const issuedAfter: unique symbol = Symbol("issuedAfter");
export const auth: unique symbol = Symbol("auth");
export const listensAt: unique symbol = Symbol("listensAt");
export const keepHandshake: unique symbol = Symbol("keepHandshake");
export const restore: unique symbol = Symbol("restore");

// Client
export const isGuest: unique symbol = Symbol("isGuest");
export const only: unique symbol = Symbol("only");
export const socketsById: unique symbol = Symbol("socketsById");
export const socketsByNamespace: unique symbol = Symbol("socketsByNamespace");
export const decoder: unique symbol = Symbol("decoder");
export const requestFacts: unique symbol = Symbol("requestFacts");
export const tellData: unique symbol = Symbol("tellData");
export const tellEnd: unique symbol = Symbol("tellEnd");
export const socketOf: unique symbol = Symbol("socketOf");
export const leave: unique symbol = Symbol("leave");
export const makeDecoder: unique symbol = Symbol("makeDecoder");
export const writeToConn: unique symbol = Symbol("writeToConn");
export const add: unique symbol = Symbol("add");
export const maps: unique symbol = Symbol("maps");
export const list: unique symbol = Symbol("list");
export const clear: unique symbol = Symbol("clear");

// BroadcastOperator
export const target: unique symbol = Symbol("target");
export const withFlags: unique symbol = Symbol("withFlags");

// InMemoryAdapter, RecoveryAdapter
export const index: unique symbol = Symbol("index");
export const served: unique symbol = Symbol("served");
export const isBroadcasting: unique symbol = Symbol("isBroadcasting");
export const encoded: unique symbol = Symbol("encoded");
export const packetOpts: unique symbol = Symbol("packetOpts");
export const knows: unique symbol = Symbol("knows");
export const mirrorsMaps: unique symbol = Symbol("mirrorsMaps");
export const reachesServed: unique symbol = Symbol("reachesServed");
export const encodeFor: unique symbol = Symbol("encodeFor");
export const deliver: unique symbol = Symbol("deliver");
export const isLoopCheaper: unique symbol = Symbol("isLoopCheaper");
export const isTarget: unique symbol = Symbol("isTarget");
export const noteBroadcast: unique symbol = Symbol("noteBroadcast");
export const admit: unique symbol = Symbol("admit");
export const dismiss: unique symbol = Symbol("dismiss");

// Encoder
export const transform: unique symbol = Symbol("transform");
export const text: unique symbol = Symbol("text");

// Decoder
export const maxAttachments: unique symbol = Symbol("maxAttachments");
export const pending: unique symbol = Symbol("pending");
export const addText: unique symbol = Symbol("addText");
export const addAttachment: unique symbol = Symbol("addAttachment");
