/**
 * The names of members of transports, of the WebSocket under one and of what middlewares are given that engine.io's do not have; symbols, as
 * ../own.ts tells why.
 */

// Transport
export const isHeldBack: unique symbol = Symbol("isHeldBack");
export const session: unique symbol = Symbol("session");
export const noteListener: unique symbol = Symbol("noteListener");

// StreamTransport
export const carrier: unique symbol = Symbol("carrier");
export const onFailed: unique symbol = Symbol("onFailed");
export const onStreamEnded: unique symbol = Symbol("onStreamEnded");

// WebSocketTransport
export const facade: unique symbol = Symbol("facade");
export const isClosing: unique symbol = Symbol("isClosing");
export const beginClose: unique symbol = Symbol("beginClose");
export const onFrame: unique symbol = Symbol("onFrame");
export const onFramesSent: unique symbol = Symbol("onFramesSent");

// PollingTransport
export const handshakeContext: unique symbol = Symbol("handshakeContext");
export const state: unique symbol = Symbol("state");
export const onClosed: unique symbol = Symbol("onClosed");
export const noteEarlyListeners: unique symbol = Symbol("noteEarlyListeners");
export const listenAsEngine: unique symbol = Symbol("listenAsEngine");
export const onHandshakeOver: unique symbol = Symbol("onHandshakeOver");
export const polls: unique symbol = Symbol("polls");
export const hasBacklog: unique symbol = Symbol("hasBacklog");
export const data: unique symbol = Symbol("data");
export const hasReceived: unique symbol = Symbol("hasReceived");
export const messages: unique symbol = Symbol("messages");
export const carry: unique symbol = Symbol("carry");
export const onBody: unique symbol = Symbol("onBody");
export const onBodyTooLarge: unique symbol = Symbol("onBodyTooLarge");
export const onBodyAborted: unique symbol = Symbol("onBodyAborted");
export const onPolledMessage: unique symbol = Symbol("onPolledMessage");
export const onPolledControl: unique symbol = Symbol("onPolledControl");
export const onRespond: unique symbol = Symbol("onRespond");
export const isWaiting: unique symbol = Symbol("isWaiting");
export const onSend: unique symbol = Symbol("onSend");
export const mayHold: unique symbol = Symbol("mayHold");
export const takenPoll: unique symbol = Symbol("takenPoll");
export const onPollAborted: unique symbol = Symbol("onPollAborted");
export const end: unique symbol = Symbol("end");
export const tellEnd: unique symbol = Symbol("tellEnd");
export const answerLeftovers: unique symbol = Symbol("answerLeftovers");
export const deliverBody: unique symbol = Symbol("deliverBody");
export const deliverText: unique symbol = Symbol("deliverText");
export const bodyLength: unique symbol = Symbol("bodyLength");
export const bodyOf: unique symbol = Symbol("bodyOf");
export const onPeerClose: unique symbol = Symbol("onPeerClose");
export const answer: unique symbol = Symbol("answer");
export const held: unique symbol = Symbol("held");
export const refuseOverlap: unique symbol = Symbol("refuseOverlap");
export const waiting: unique symbol = Symbol("waiting");
export const forget: unique symbol = Symbol("forget");
export const dropBody: unique symbol = Symbol("dropBody");

// JsonpTransport
export const head: unique symbol = Symbol("head");

// WebSocketEvents
export const onListener: unique symbol = Symbol("onListener");
export const wrapperOf: unique symbol = Symbol("wrapperOf");
export const attribute: unique symbol = Symbol("attribute");
export const setAttribute: unique symbol = Symbol("setAttribute");
export const addHandler: unique symbol = Symbol("addHandler");

// WebSocketFacade
export const transport: unique symbol = Symbol("transport");
export const watched: unique symbol = Symbol("watched");
export const paused: unique symbol = Symbol("paused");
export const type: unique symbol = Symbol("type");
export const isInMessage: unique symbol = Symbol("isInMessage");
export const unsent: unique symbol = Symbol("unsent");
export const callbacks: unique symbol = Symbol("callbacks");
export const closeCode: unique symbol = Symbol("closeCode");
export const closeReason: unique symbol = Symbol("closeReason");
export const conn: unique symbol = Symbol("conn");
export const setPaused: unique symbol = Symbol("setPaused");
export const tellCore: unique symbol = Symbol("tellCore");
export const sendControl: unique symbol = Symbol("sendControl");
export const sendFrame: unique symbol = Symbol("sendFrame");
export const refuse: unique symbol = Symbol("refuse");
export const binaryOf: unique symbol = Symbol("binaryOf");

// WebSocketGate
export const deflate: unique symbol = Symbol("deflate");
export const isClosed: unique symbol = Symbol("isClosed");

// UpgradeResponse
export const table: unique symbol = Symbol("table");

// StandIn
export const isLate: unique symbol = Symbol("isLate");
export const source: unique symbol = Symbol("source");
