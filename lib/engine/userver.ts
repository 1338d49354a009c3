/** engine.io's server on uWebSockets.js, which has no place here: that package brings an http server and a WebSocket codec of its own. */

export class uServer {
  /** @throws always, with the code `SIO_RS_NO_USERVER`: use `Server`, on an http server of Node */
  constructor() {
    throw Object.assign(
      new Error("sio-rs does not run on uWebSockets.js: use Server, attached to an http server"),
      { code: "SIO_RS_NO_USERVER" },
    );
  }
}
