//! The load generator of the benchmark: many Socket.IO clients on one thread and one epoll.
//!
//! It does what lines on its standard input say (`open 200`, `run 50000`), and answers each with one
//! line of JSON. It measures no server: it keeps clients busy, counts what reaches them, and says so
//! when something is missing. It ends when its input does, or at the first fault.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod control;
mod failure;
mod frame;
mod http;
mod load;
mod meter;
mod options;
mod packet;
mod poller;
mod stream;
mod traffic;
mod websocket;

use std::process::ExitCode;
use std::time::Duration;

use mio::{Events, Poll, Token, Waker};

use crate::control::{Command, Control};
use crate::failure::Result;
use crate::load::{Load, World};
use crate::options::Options;
use crate::stream::Readiness;

/// The token of the thread that reads the standard input; clients count from zero.
const CONTROL: Token = Token(usize::MAX);

/// How often the loop looks for a stall when no packet wakes it.
const TICK: Duration = Duration::from_secs(1);

/// Events taken from epoll in one call. More of them would only make the first ones older.
const EVENTS_PER_POLL: usize = 1024;

fn main() -> ExitCode {
    match drive() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            control::answer_failure(&failure.to_string());
            ExitCode::FAILURE
        }
    }
}

fn drive() -> Result<()> {
    let options = Options::parse(std::env::args().skip(1))?;
    let mut poll = Poll::new()?;
    let control = Control::listen(Waker::new(poll.registry(), CONTROL)?);
    let mut load = load::named(&options)?;
    let mut world = World::new(poll.registry().try_clone()?, options.address());
    let mut events = Events::with_capacity(EVENTS_PER_POLL);

    loop {
        if let Err(error) = poll.poll(&mut events, Some(TICK))
            && error.kind() != std::io::ErrorKind::Interrupted
        {
            return Err(error.into());
        }
        for event in &events {
            if event.token() != CONTROL {
                load.ready(event.token().0, Readiness::of(event), &mut world)?;
                continue;
            }
            while let Some(command) = control.next() {
                match command? {
                    Command::Open(clients) => load.open(clients, &mut world)?,
                    Command::Cut => {
                        load.cut()?;
                        control::answer("{\"cut\":true}")?;
                    }
                    Command::Run(units) => run(load.as_mut(), units, &mut world)?,
                    Command::Quit => return Ok(()),
                }
            }
        }
        if let Some(account) = world.meter.finish()? {
            load.verify(&account)?;
            control::answer(&account.to_json())?;
        }
    }
}

fn run(load: &mut dyn Load, units: u64, world: &mut World) -> Result<()> {
    world.meter.begin_running(units)?;
    // Said before the first packet: a server that broadcasts waits for this line.
    control::answer("{\"running\":true}")?;
    load.run(world)
}
