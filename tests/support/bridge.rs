//! Pumps bridges as `lib/engine/bridge.ts` does: a reader and a writer for each stream, with back-pressure.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use sio::server::link::Link;

use super::{Commands, Event};

/// The bridges of one link, by conn.
#[derive(Default)]
pub struct Bridges(HashMap<u32, Bridge>);

struct Bridge {
    stream: TcpStream,
    /// For the writer: bytes, or the end.
    output: Sender<Option<Vec<u8>>>,
    gate: Arc<Gate>,
}

/// Holds the reader up: the core asked for it, or JavaScript is busy.
#[derive(Default)]
struct Gate {
    closed: Mutex<Closed>,
    changed: Condvar,
}

#[derive(Default)]
struct Closed {
    is_paused: bool,
    is_busy: bool,
}

impl Bridges {
    pub fn add(&mut self, conn: u32, stream: TcpStream, link: &Arc<Link>) {
        let (output, written) = channel();
        let gate = Arc::new(Gate::default());
        thread::spawn({
            let (stream, link) = (stream.try_clone().unwrap(), Arc::clone(link));
            move || write(conn, stream, &link, &written)
        });
        thread::spawn({
            let (stream, link, gate) =
                (stream.try_clone().unwrap(), Arc::clone(link), Arc::clone(&gate));
            move || read(conn, stream, &link, &gate)
        });
        self.0.insert(conn, Bridge { stream, output, gate });
    }

    /// Begins or ends a time in which JavaScript reads nothing.
    pub fn set_busy(&self, is_busy: bool) {
        for bridge in self.0.values() {
            bridge.gate.set(|closed| &mut closed.is_busy, is_busy);
        }
    }

    /// Does what an event asks of a bridge. False if it is for the test.
    pub fn take(&mut self, event: &Event) -> bool {
        match event {
            Event::BridgeWrite { conn, .. }
            | Event::BridgeEnd { conn }
            | Event::BridgePause { conn }
            | Event::BridgeResume { conn }
            | Event::BridgeDestroy { conn }
                if !self.0.contains_key(conn) =>
            {
                return false;
            }
            Event::BridgeWrite { conn, bytes } => self.output(*conn, Some(bytes.clone())),
            Event::BridgeEnd { conn } => self.output(*conn, None),
            Event::BridgePause { conn } => self.set_paused(*conn, true),
            Event::BridgeResume { conn } => self.set_paused(*conn, false),
            Event::BridgeDestroy { conn } => {
                let Some(bridge) = self.0.remove(conn) else { return false };
                // The peer may have reset it.
                let _ = bridge.stream.shutdown(Shutdown::Both);
                bridge.gate.set(|closed| &mut closed.is_paused, false);
            }
            _ => return false,
        }
        true
    }

    fn output(&self, conn: u32, output: Option<Vec<u8>>) {
        // The writer is gone when the peer has reset the stream.
        let _ = self.0[&conn].output.send(output);
    }

    fn set_paused(&self, conn: u32, is_paused: bool) {
        self.0[&conn].gate.set(|closed| &mut closed.is_paused, is_paused);
    }
}

impl Gate {
    fn set(&self, why: fn(&mut Closed) -> &mut bool, is_closed: bool) {
        *why(&mut self.closed.lock().unwrap()) = is_closed;
        self.changed.notify_all();
    }

    fn pass(&self) {
        let closed = self.closed.lock().unwrap();
        drop(self.changed.wait_while(closed, |closed| closed.is_paused || closed.is_busy).unwrap());
    }
}

fn read(conn: u32, mut stream: TcpStream, link: &Link, gate: &Gate) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        gate.pass();
        match stream.read(&mut buffer) {
            Ok(0) => return link.submit(Commands::default().bridge_eof(conn).bytes()).unwrap(),
            Ok(count) => {
                link.submit(Commands::default().bridge_data(conn, &buffer[..count]).bytes())
                    .unwrap();
            }
            Err(_) => return link.submit(Commands::default().conn_destroy(conn).bytes()).unwrap(),
        }
    }
}

fn write(conn: u32, mut stream: TcpStream, link: &Link, output: &Receiver<Option<Vec<u8>>>) {
    while let Ok(output) = output.recv() {
        let Some(bytes) = output else {
            let _ = stream.shutdown(Shutdown::Write);
            continue;
        };
        if stream.write_all(&bytes).is_err() {
            return link.submit(Commands::default().conn_destroy(conn).bytes()).unwrap();
        }
        link.submit(Commands::default().bridge_ack(conn, bytes.len()).bytes()).unwrap();
    }
}
