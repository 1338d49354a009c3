//! The floor of the benchmark: one thread, one epoll, a `write` for each delivery, and no server at all.
//!
//! It answers each packet of the load with bytes that were made beforehand or cut out of the question, looks nothing up and
//! checks nothing. No server can be cheaper on one thread without merging writes; what it takes is the kernel's.
//!
//! Commands come on its standard input, a line each: `broadcast COUNT BATCH INTERVAL_MS TEXT`.

use std::error::Error;
use std::io::{BufRead as _, ErrorKind, Read as _, Write as _, stdin};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};

const LISTENER: Token = Token(usize::MAX);
const COMMAND: Token = Token(usize::MAX - 1);

/// What the load opens with in its HTTP request, and ends it with.
const REQUEST_END: &[u8] = b"\r\n\r\n";

/// The load does not check the accept key.
const SWITCHING: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
      Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

const OPEN: &str = r#"0{"sid":"floor","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;

/// Pings are the one thing it does not do: runs are shorter than the interval that it tells.
struct Client {
    stream: TcpStream,
    carry: Vec<u8>,
    is_open: bool,
}

struct Order {
    left: u64,
    batch: u64,
    interval: Duration,
    next: Instant,
    frame: Vec<u8>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = std::env::args().nth(1).ok_or("a port")?.parse()?;
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind(([127, 0, 0, 1], port).into())?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let waker = Arc::new(Waker::new(poll.registry(), COMMAND)?);
    let commands = listen_to_commands(waker);
    println!("listening");

    let mut events = Events::with_capacity(1024);
    let mut clients: Vec<Option<Client>> = Vec::new();
    let mut buffer = vec![0; 256 * 1024];
    let mut order: Option<Order> = None;
    loop {
        let pause = order.as_ref().map(|order| order.next.saturating_duration_since(Instant::now()));
        match poll.poll(&mut events, pause) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
            _ => {}
        }
        for event in &events {
            match event.token() {
                LISTENER => accept(&listener, &poll, &mut clients)?,
                COMMAND => match commands.try_recv() {
                    Ok(Some(given)) => order = Some(given),
                    Ok(None) => return Ok(()),
                    Err(_) => {}
                },
                Token(number) => {
                    if let Some(place) = clients.get_mut(number)
                        && let Some(client) = place
                        && !serve(client, &mut buffer)?
                    {
                        *place = None;
                    }
                }
            }
        }
        if let Some(due) = &mut order
            && due.next <= Instant::now()
        {
            for _ in 0..due.batch.min(due.left) {
                due.left -= 1;
                for client in clients.iter_mut().flatten().filter(|client| client.is_open) {
                    client.stream.write_all(&due.frame)?;
                }
            }
            due.next += due.interval;
            if due.left == 0 {
                order = None;
            }
        }
    }
}

/// `None` at the end of the input.
fn listen_to_commands(waker: Arc<Waker>) -> Receiver<Option<Order>> {
    let (send, received) = channel();
    thread::spawn(move || {
        for line in stdin().lock().lines().map_while(Result::ok) {
            let words: Vec<&str> = line.splitn(5, ' ').collect();
            if let ["broadcast", count, batch, interval_ms, text] = words[..]
                && let (Ok(left), Ok(batch), Ok(interval_ms)) =
                    (count.parse(), batch.parse(), interval_ms.parse())
            {
                let frame = frame(format!("42[\"news\",\"{text}\"]").as_bytes());
                let interval = Duration::from_millis(interval_ms);
                let order = Order { left, batch, interval, next: Instant::now(), frame };
                println!("ordered");
                if send.send(Some(order)).is_err() || waker.wake().is_err() {
                    return;
                }
            }
        }
        let _ = send.send(None);
        let _ = waker.wake();
    });
    received
}

fn accept(
    listener: &TcpListener,
    poll: &Poll,
    clients: &mut Vec<Option<Client>>,
) -> Result<(), Box<dyn Error>> {
    loop {
        let (mut stream, _) = match listener.accept() {
            Ok(accepted) => accepted,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        stream.set_nodelay(true)?;
        let number = clients.iter().position(Option::is_none).unwrap_or(clients.len());
        poll.registry().register(&mut stream, Token(number), Interest::READABLE)?;
        if number == clients.len() {
            clients.push(None);
        }
        clients[number] = Some(Client { stream, carry: Vec::new(), is_open: false });
    }
}

/// Reads once and answers; false at the end of the stream.
fn serve(client: &mut Client, buffer: &mut [u8]) -> Result<bool, Box<dyn Error>> {
    let read = match client.stream.read(buffer) {
        Ok(0) => return Ok(false),
        Ok(read) => read,
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
        Err(error) => return Err(error.into()),
    };
    if !client.is_open {
        client.carry.extend_from_slice(&buffer[..read]);
        if client.carry.ends_with(REQUEST_END) {
            client.carry = Vec::new();
            client.is_open = true;
            client.stream.write_all(&[SWITCHING, &frame(OPEN.as_bytes())].concat())?;
        }
        return Ok(true);
    }
    let mut answers = Vec::new();
    let carried = std::mem::take(&mut client.carry);
    if carried.is_empty() {
        client.carry = answer_all(&mut buffer[..read], &mut answers).to_vec();
    } else {
        let mut bytes = [&carried, &buffer[..read]].concat();
        client.carry = answer_all(&mut bytes, &mut answers).to_vec();
    }
    if !answers.is_empty() {
        client.stream.write_all(&answers)?;
    }
    Ok(true)
}

/// Answers all whole frames; gives what is left.
fn answer_all<'a>(mut bytes: &'a mut [u8], answers: &mut Vec<u8>) -> &'a [u8] {
    loop {
        let (start, len) = match *bytes {
            [_, 0xfe, high, low, ..] => (8, usize::from(u16::from_be_bytes([high, low]))),
            [_, 0xff, a, b, c, d, e, f, g, h, ..] => {
                (14, u64::from_be_bytes([a, b, c, d, e, f, g, h]) as usize)
            }
            [_, 0xfe | 0xff, ..] | [_] | [] => return bytes,
            [_, len, ..] => (6, usize::from(len & 0x7f)),
        };
        if bytes.len() < start + len {
            return bytes;
        }
        let (whole, rest) = bytes.split_at_mut(start + len);
        bytes = rest;
        let (header, payload) = whole.split_at_mut(start);
        let key = &header[start - 4..];
        for (index, byte) in payload.iter_mut().enumerate() {
            *byte ^= key[index % 4];
        }
        answer(payload, answers);
    }
}

/// An ack of `420["echo",…]`, an event as it came, a CONNECT.
fn answer(packet: &[u8], answers: &mut Vec<u8>) {
    if packet == b"40" {
        answers.extend_from_slice(&frame(b"40{\"sid\":\"floor\"}"));
    } else if let Some(arguments) = packet.strip_prefix(b"420[\"echo\",") {
        answers.extend_from_slice(&frame(&[b"430[", arguments].concat()));
    } else if packet.starts_with(b"42") {
        answers.extend_from_slice(&frame(packet));
    }
}

fn frame(payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x81];
    match payload.len() {
        len @ 0..=125 => frame.push(len as u8),
        len @ 126..=0xffff => {
            frame.push(126);
            frame.extend((len as u16).to_be_bytes());
        }
        len => {
            frame.push(127);
            frame.extend((len as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    frame
}
