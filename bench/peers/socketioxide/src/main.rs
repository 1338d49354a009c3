//! The application of the benchmark on socketioxide, as far as scenarios ask for it that need no account of Node's.
//!
//! Commands come on its standard input, a line each: `broadcast COUNT BATCH INTERVAL_MS TEXT`.

use std::error::Error;
use std::time::Duration;

use axum::Router;
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, Data, SocketRef};
use tokio::io::{AsyncBufReadExt as _, BufReader, stdin};
use tokio::net::TcpListener;
use tokio::time::{MissedTickBehavior, interval};

/// As many as performance is compared with.
const WORKERS: usize = 2;

fn main() -> Result<(), Box<dyn Error>> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()?
        .block_on(serve())
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let port: u16 = std::env::args().nth(1).ok_or("a port")?.parse()?;
    // A broadcast that finds a full queue is lost, and a lost packet fails the run.
    let (layer, io) = SocketIo::builder().max_buffer_size(100_000).build_layer();
    io.ns("/", async |socket: SocketRef| {
        socket.on("echo", async |Data::<String>(text), ack: AckSender| {
            let _ = ack.send(&text); // the client may be gone
        });
        socket.on("event", async |socket: SocketRef, Data::<String>(text)| {
            let _ = socket.emit("event", &text);
        });
        socket.on("join", async |socket: SocketRef, Data::<String>(room), ack: AckSender| {
            socket.join(room);
            let _ = ack.send(&());
        });
        socket.on("say", async |io: SocketIo, Data::<(String, String)>((room, text))| {
            let _ = io.to(room).emit("said", &text).await;
        });
    });

    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening");
    tokio::spawn(async move { axum::serve(listener, Router::new().layer(layer)).await });
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let words: Vec<&str> = line.splitn(5, ' ').collect();
        if let ["broadcast", count, batch, interval_ms, text] = words[..] {
            println!("ordered");
            broadcast(&io, count.parse()?, batch.parse()?, interval_ms.parse()?, text).await;
        }
    }
    Ok(())
}

async fn broadcast(io: &SocketIo, mut left: u64, batch: u64, interval_ms: u64, text: &str) {
    let mut ticks = (interval_ms > 0).then(|| interval(Duration::from_millis(interval_ms)));
    if let Some(ticks) = &mut ticks {
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    }
    while left > 0 {
        match &mut ticks {
            Some(ticks) => drop(ticks.tick().await),
            None => tokio::task::yield_now().await,
        }
        for _ in 0..batch.min(left) {
            left -= 1;
            let _ = io.emit("news", text).await;
        }
    }
}
