// A program's line to the test that started it: it tells its port, answers questions, and closes when it is told to.
// Nothing here ends the process: it ends when the program has left nothing open, as a user expects.
"use strict";

/**
 * @param {number} port
 * @param {{close(): unknown} & Record<string, (...args: any[]) => unknown>} answers
 */
exports.serve = (port, answers) => {
  process.on("message", async ({ id, question, args = [] }) => {
    try {
      const answer = await answers[question](...args);
      if (question === "close") process.disconnect();
      else process.send({ id, answer });
    } catch (error) {
      process.send({ id, error: error.stack });
    }
  });
  process.send({ port });
};

/** Listens on a free port of 127.0.0.1, for the programs whose framework takes an http server. */
exports.listen = (httpServer) =>
  new Promise((resolve) => {
    httpServer.listen(0, "127.0.0.1", () => resolve(httpServer.address().port));
  });
