//! The client of the crate rust_socketio, told what to do by the test: one JSON array a line in, one a line out.
//! Arguments: the URL, the transport (`polling`, `websocket` or `any`), the namespace.

use std::{
    env,
    io::{self, BufRead, Write},
    sync::mpsc,
    time::Duration,
};

use rust_socketio::{ClientBuilder, Event, Payload, RawClient, TransportType};
use serde_json::{Value, json};

/// The limit of every wait here, as of those in the test.
const LIMIT: Duration = Duration::from_secs(5);

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [url, transport, namespace] = arguments.as_slice() else {
        panic!("expected a URL, a transport and a namespace");
    };
    let transport = match transport.as_str() {
        "polling" => TransportType::Polling,
        "websocket" => TransportType::Websocket,
        _ => TransportType::Any,
    };
    let client = ClientBuilder::new(url.as_str())
        .namespace(namespace.as_str())
        .transport_type(transport)
        .auth(json!({ "token": "€" }))
        .opening_header("X-Client", "rust")
        .reconnect(false)
        .on(Event::Connect, |_, _| tell(&json!(["connect"])))
        .on(Event::Close, |_, _| tell(&json!(["close"])))
        .on(Event::Error, |payload, _| tell(&json!(["error", printable(&payload)])))
        .on_any(|event, payload, _| {
            tell(&json!(["event", event.as_str(), printable(&payload)]));
        })
        .connect();
    let client = match client {
        Ok(client) => client,
        Err(error) => return tell(&json!(["failed", error.to_string()])),
    };

    for line in io::stdin().lock().lines() {
        let command: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
        let event = command[1].as_str().unwrap_or_default().to_owned();
        match command[0].as_str() {
            Some("emit") => client.emit(event, payload_of(&command[2])).expect("to be sent"),
            Some("call") => {
                let (answered, answer) = mpsc::channel();
                let callback = move |payload: Payload, _: RawClient| {
                    // The receiver is gone only if the answer came too late, and then this is a failure already.
                    answered.send(printable(&payload)).expect("somebody waits");
                };
                client
                    .emit_with_ack(event, payload_of(&command[2]), LIMIT, callback)
                    .expect("to be sent");
                tell(&json!(["reply", answer.recv_timeout(LIMIT).expect("an answer")]));
            }
            _ => break,
        }
    }
    client.disconnect().expect("to leave");
}

/// `{"bytes": […]}` becomes an attachment.
fn payload_of(value: &Value) -> Payload {
    match value.get("bytes").and_then(Value::as_array) {
        Some(bytes) => {
            let bytes: Vec<u8> = bytes
                .iter()
                .map(|byte| byte.as_u64().and_then(|byte| u8::try_from(byte).ok()).expect("a byte"))
                .collect();
            Payload::from(bytes)
        }
        None => Payload::from(value.clone()),
    }
}

fn printable(payload: &Payload) -> Value {
    match payload {
        Payload::Text(values) => Value::Array(values.clone()),
        Payload::Binary(bytes) => json!([{ "bytes": bytes.to_vec() }]),
        #[expect(deprecated, reason = "the crate still makes it")]
        Payload::String(text) => json!([text]),
    }
}

fn tell(line: &Value) {
    let mut output = io::stdout().lock();
    writeln!(output, "{line}").and_then(|()| output.flush()).expect("the test to listen");
}
