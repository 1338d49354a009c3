// All scenarios, in the order of the table.
//
// A scenario is: `name`; `server`, what the application listens to and the options it starts with;
// `load`, the generator's command line; `isOnOneCore`, if the two are to share a core; `deadlineMs`, if it takes long; `full` and
// `quick`, its sizes; `run`, which opens clients, warms up, measures, and returns rows
// {name, unit, value, jsValue?, detail}. Less is better in all.

import { broadcast10k, broadcastFull, broadcastPaced, delayTimeline } from "./broadcast.mjs";
import { connectUpgrade, connectWs } from "./connect.mjs";
import { echo, echo1k, eventNoAck, pingPong, pollingEcho } from "./exchange.mjs";
import { heartbeat, idle } from "./idle.mjs";
import { memory } from "./memory.mjs";
import { rooms } from "./rooms.mjs";

export const SCENARIOS = [
  broadcastPaced,
  broadcastFull,
  broadcast10k,
  delayTimeline,
  echo,
  echo1k,
  eventNoAck,
  rooms,
  connectWs,
  connectUpgrade,
  idle,
  memory,
  heartbeat,
  pollingEcho,
  pingPong,
];
