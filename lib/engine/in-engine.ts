/**
 * The names of members of the engine and its sessions that engine.io's do not have; symbols, as ../own.ts tells why.
 */

// Server
export const tally: unique symbol = Symbol("tally");
export const isDraining: unique symbol = Symbol("isDraining");
export const watchdog: unique symbol = Symbol("watchdog");
export const cors: unique symbol = Symbol("cors");
export const madeLink: unique symbol = Symbol("madeLink");
export const link: unique symbol = Symbol("link");
export const watchesWrites: unique symbol = Symbol("watchesWrites");
export const hasWsEngine: unique symbol = Symbol("hasWsEngine");
export const register: unique symbol = Symbol("register");
export const announce: unique symbol = Symbol("announce");
export const forget: unique symbol = Symbol("forget");
export const reportError: unique symbol = Symbol("reportError");
export const keepsRequestsToItself: unique symbol = Symbol("keepsRequestsToItself");
export const refusesNew: unique symbol = Symbol("refusesNew");
export const onStalled: unique symbol = Symbol("onStalled");
export const isPlain: unique symbol = Symbol("isPlain");
export const runAndVerify: unique symbol = Symbol("runAndVerify");
export const plainMethods: unique symbol = Symbol("plainMethods");

// Socket (WatchedEmitter)
export const bits: unique symbol = Symbol("bits");
export const onWritesWatched: unique symbol = Symbol("onWritesWatched");
export const onHeartbeatWatched: unique symbol = Symbol("onHeartbeatWatched");
export const has: unique symbol = Symbol("has");
export const setBit: unique symbol = Symbol("setBit");
export const watch: unique symbol = Symbol("watch");
export const noteListener: unique symbol = Symbol("noteListener");

// Socket (SessionBase)
export const slot: unique symbol = Symbol("slot");
export const freeAt: unique symbol = Symbol("freeAt");
export const waiting: unique symbol = Symbol("waiting");
export const commands: unique symbol = Symbol("commands");
export const stamp: unique symbol = Symbol("stamp");
export const pendingBytes: unique symbol = Symbol("pendingBytes");
export const isStreamFree: unique symbol = Symbol("isStreamFree");
export const isBusyInTurn: unique symbol = Symbol("isBusyInTurn");
export const waitingInTurn: unique symbol = Symbol("waitingInTurn");
export const isBusyFromBefore: unique symbol = Symbol("isBusyFromBefore");
export const broadcastsInTurn: unique symbol = Symbol("broadcastsInTurn");

// Socket (Session)
export const outgoing: unique symbol = Symbol("outgoing");
export const current: unique symbol = Symbol("current");
export const carrier: unique symbol = Symbol("carrier");
export const candidate: unique symbol = Symbol("candidate");
export const onMessage: unique symbol = Symbol("onMessage");
export const onMoved: unique symbol = Symbol("onMoved");
export const sendMessage: unique symbol = Symbol("sendMessage");
export const sendControl: unique symbol = Symbol("sendControl");
export const givePacket: unique symbol = Symbol("givePacket");
export const takeStock: unique symbol = Symbol("takeStock");
export const observed: unique symbol = Symbol("observed");
export const transportName: unique symbol = Symbol("transportName");
export const expectCandidate: unique symbol = Symbol("expectCandidate");
export const supportsBinary: unique symbol = Symbol("supportsBinary");
export const open: unique symbol = Symbol("open");
export const tellOpening: unique symbol = Symbol("tellOpening");
export const handshakeOver: unique symbol = Symbol("handshakeOver");
export const openContent: unique symbol = Symbol("openContent");
export const setCarrier: unique symbol = Symbol("setCarrier");
export const setCandidate: unique symbol = Symbol("setCandidate");
export const canUpgrade: unique symbol = Symbol("canUpgrade");
export const carries: unique symbol = Symbol("carries");
export const canWrite: unique symbol = Symbol("canWrite");
export const onPollParked: unique symbol = Symbol("onPollParked");
export const onBacklogTaken: unique symbol = Symbol("onBacklogTaken");
export const onContent: unique symbol = Symbol("onContent");
export const onClosed: unique symbol = Symbol("onClosed");
export const onEnded: unique symbol = Symbol("onEnded");
export const onRespond: unique symbol = Symbol("onRespond");
export const onUpgrading: unique symbol = Symbol("onUpgrading");
export const onUpgraded: unique symbol = Symbol("onUpgraded");
export const onUpgradeFailed: unique symbol = Symbol("onUpgradeFailed");
export const onHeartbeat: unique symbol = Symbol("onHeartbeat");
export const onControl: unique symbol = Symbol("onControl");
export const onPingSent: unique symbol = Symbol("onPingSent");
export const onSent: unique symbol = Symbol("onSent");
export const closeStream: unique symbol = Symbol("closeStream");
export const closePolling: unique symbol = Symbol("closePolling");
export const onDrained: unique symbol = Symbol("onDrained");
export const hasWaiting: unique symbol = Symbol("hasWaiting");
export const failTransport: unique symbol = Symbol("failTransport");
export const onTransportFailed: unique symbol = Symbol("onTransportFailed");
export const endNow: unique symbol = Symbol("endNow");
export const clientHeartbeat: unique symbol = Symbol("clientHeartbeat");
export const onPolledHeartbeat: unique symbol = Symbol("onPolledHeartbeat");
export const emitControlSent: unique symbol = Symbol("emitControlSent");
export const noteControl: unique symbol = Symbol("noteControl");
export const watchTransport: unique symbol = Symbol("watchTransport");
export const finish: unique symbol = Symbol("finish");
export const abandon: unique symbol = Symbol("abandon");
export const transportOf: unique symbol = Symbol("transportOf");

// Socket
export const request: unique symbol = Symbol("request");
export const requestUser: unique symbol = Symbol("requestUser");
export const hideRequest: unique symbol = Symbol("hideRequest");
export const requestFacts: unique symbol = Symbol("requestFacts");
export const writeUnit: unique symbol = Symbol("writeUnit");
export const askWaiting: unique symbol = Symbol("askWaiting");
export const packetsOfTurn: unique symbol = Symbol("packetsOfTurn");
export const isReported: unique symbol = Symbol("isReported");
export const writeObserved: unique symbol = Symbol("writeObserved");
export const expendableFlag: unique symbol = Symbol("expendableFlag");
export const contentOf: unique symbol = Symbol("contentOf");
export const watchWrites: unique symbol = Symbol("watchWrites");
export const observedWrites: unique symbol = Symbol("observedWrites");

// RequestUser
export const beforeRequestReplaced: unique symbol = Symbol("beforeRequestReplaced");
export const beforeRequestShown: unique symbol = Symbol("beforeRequestShown");
