//! The line protocol between the runner and this process: commands in, one JSON line out for each.
//!
//! A thread of its own blocks on the standard input and wakes the loop, so that heartbeats are
//! answered while the runner is silent. The end of the input ends the process.

use std::io::{BufRead as _, Write as _, stdin, stdout};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;

use mio::Waker;

use crate::failure::Result;

/// What the runner may ask for.
pub(crate) enum Command {
    /// Have this many clients in all: open, or at work in turn where connecting is the load.
    Open(usize),
    /// Cut all clients off, without a goodbye.
    Cut,
    /// Do this many units of the load's work and answer with the account.
    Run(u64),
    /// End; all clients go with the process.
    Quit,
}

/// The receiving end of the thread that reads the standard input.
pub(crate) struct Control {
    lines: Receiver<String>,
    /// Dropped with its thread, it would take a wake-up along that the loop has not seen.
    _waker: Arc<Waker>,
}

impl Control {
    pub(crate) fn listen(waker: Waker) -> Self {
        let (sender, lines) = channel();
        let waker = Arc::new(waker);
        let wake = Arc::clone(&waker);
        thread::spawn(move || {
            for line in stdin().lock().lines().map_while(std::result::Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
                // A failed wake-up shows within one tick of the loop.
                let _ = wake.wake();
            }
            drop(sender);
            let _ = wake.wake();
        });
        Self { lines, _waker: waker }
    }

    /// The next command, if one has arrived.
    pub(crate) fn next(&self) -> Option<Result<Command>> {
        match self.lines.try_recv() {
            Ok(line) => Some(parse(&line)),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Ok(Command::Quit)),
        }
    }
}

fn parse(line: &str) -> Result<Command> {
    let mut words = line.split_whitespace();
    match (words.next(), words.next()) {
        (Some("open"), Some(clients)) => Ok(Command::Open(clients.parse()?)),
        (Some("run"), Some(units)) => Ok(Command::Run(units.parse()?)),
        (Some("cut"), None) => Ok(Command::Cut),
        (Some("quit"), None) => Ok(Command::Quit),
        _ => Err(format!("unknown command: {line}").into()),
    }
}

/// Writes one line of JSON.
pub(crate) fn answer(json: &str) -> Result<()> {
    let mut out = stdout().lock();
    writeln!(out, "{json}")?;
    Ok(out.flush()?)
}

/// Writes the last line of a run that failed. With the runner gone nobody is left to tell.
pub(crate) fn answer_failure(text: &str) {
    let quoted = text.replace('\\', "\\\\").replace('"', "\\\"").replace(char::is_control, " ");
    let _ = answer(&format!("{{\"failed\":\"{quoted}\"}}"));
}
