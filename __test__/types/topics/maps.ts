// Maps of events that the topics share, and a server with them.

import { Server } from "socket.io";

export interface FromClients {
  empty: () => void;
  two: (a: number, b: string) => void;
  question: (a: string, ack: (b: number, c: string) => void) => void;
}

export interface ToClients {
  message: (a: number) => void;
  hello: (a: string) => void;
  question: (a: string, ack: (answer: number) => void) => void;
  ping: (ack: () => void) => void;
  several: (ack: (a: string, b: number) => void) => void;
}

export interface BetweenServers {
  tell: (a: number) => void;
  ask: (a: number, ack: (answer: string) => void) => void;
}

export interface Data {
  user: string;
}

export const io: Server<FromClients, ToClients, BetweenServers, Data> = new Server<
  FromClients,
  ToClients,
  BetweenServers,
  Data
>();
