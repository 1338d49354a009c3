//! The Node-API door of the core: convert, call, convert back.
//!
//! One class, [`BindingLink`], one instance per loaded copy of `lib/` and environment. It holds no protocol rule. Every export catches
//! panics: one in a plain export would abort the process.

#[cfg(feature = "fault-injection")]
mod fault_injection;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use napi::bindgen_prelude::{Buffer, Env, Function};
use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi_derive::napi;
use sio::codec::engine_io::PacketPrefix;
use sio::codec::websocket::{Compression, DeflateParameters, DeflateStrategy};
use sio::engine::Framing;
use sio::server::core::Core;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
use sio::server::heap::CountingHeap;
use sio::server::link::{DELAY_BOUNDS_US, Drained, Link, Role};
use sio::server::watchdog::{Watchdog, report_on_stderr};

/// The version that `lib/` compares with its own: what crosses has no version besides.
#[napi]
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Lets the core see when glibc keeps more than it should: it alone has to be told.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[global_allocator]
static HEAP: CountingHeap = CountingHeap;

/// The connection between one loaded copy of `lib/` and the core.
#[napi]
pub struct BindingLink {
    link: Arc<Link>,
}

/// What the core holds at this moment, over all links of the process.
#[napi(object)]
pub struct BindingCounters {
    /// Engine.IO sessions.
    pub sessions: i64,
    /// Streams, those in their closing handshake included.
    pub connections: i64,
    /// Sockets that a native broadcast can reach.
    pub members: i64,
    /// Rooms in the core's index.
    pub rooms: i64,
    /// Fan-out commands executed since the process started.
    pub broadcasts: i64,
    /// Bytes of memory in outboxes that wait.
    pub outbox_bytes: i64,
    /// Sessions ended because their clients took too little.
    pub slow_sessions_ended: i64,
}

/// What operators want to know of the core.
#[napi(object)]
pub struct BindingMetrics {
    /// Messages that came on streams; an attachment is one.
    pub packets_received: i64,
    /// Bytes that came on streams.
    pub bytes_received: i64,
    /// Messages that were sent; an attachment is one.
    pub packets_sent: i64,
    /// Bytes that streams and polls took.
    pub bytes_sent: i64,
    /// Native broadcasts.
    pub broadcasts: i64,
    /// Sessions that got one, over all of them.
    pub deliveries: i64,
    /// Units that left in the write of the one before.
    pub merged: i64,
    /// Sessions that ended by a fault while bytes waited for their clients.
    pub slow_clients_ended: i64,
    /// How many delays of the event queue were within each of `delay_bounds_us`, then how many were longer.
    pub delay_counts: Vec<i64>,
    /// The ends of the buckets, in microseconds.
    pub delay_bounds_us: Vec<i64>,
    /// All delays together, in microseconds.
    pub delay_sum_us: i64,
    /// The longest of them, in microseconds.
    pub delay_max_us: i64,
    /// Half of the sessions of the process have no more bytes waiting.
    pub outbox_p50: u32,
    /// 99 of 100 sessions have no more.
    pub outbox_p99: u32,
    /// The most of one session.
    pub outbox_max: u32,
    /// Of all of them.
    pub outbox_total: i64,
    /// Threads of the core.
    pub threads: u32,
}

/// The compression that a response agrees to, and how the server compresses.
#[napi(object)]
pub struct BindingDeflate {
    /// Shorter messages, in bytes, go out as they are.
    pub threshold: u32,
    /// `server_max_window_bits`.
    pub server_window_bits: u32,
    /// What goes out may refer to what went before.
    pub server_context: bool,
    /// `client_max_window_bits`.
    pub client_window_bits: u32,
    /// What comes in may refer to what came before.
    pub client_context: bool,
    /// zlib's `level`, 0 to 9.
    pub level: u32,
    /// zlib's `memLevel`, 1 to 9.
    pub memory_level: u32,
    /// zlib's `strategy`, 0 to 4.
    pub strategy: u32,
    /// How many compressors a thread keeps.
    pub max_compressors: u32,
}

/// What stands before a packet on a stream of WebTransport.
#[napi(object)]
pub struct BindingPrefix {
    /// The packet is a binary message; else it is text.
    pub is_binary: bool,
    /// Where the packet begins.
    pub start: i64,
    /// How many bytes it has.
    pub length: i64,
}

#[napi]
impl BindingLink {
    /// Connects to the core, whose threads start with the first link. `doorbell` is called when events wait.
    #[napi(constructor, catch_unwind)]
    pub fn new(env: &Env, doorbell: Function<'_, (), ()>) -> napi::Result<Self> {
        // Weak: it never keeps the process alive; JavaScript does that with a timer of its own.
        let bell = doorbell
            .build_threadsafe_function()
            .callee_handled::<false>()
            .weak::<true>()
            .build()?;
        let link = Core::global().link(Box::new(move || {
            bell.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }))?;
        // A thread that still used the function of a dying environment would abort the process. Closing the link drops the closure,
        // and the function with it, under the lock that every ring takes. Registered after the function was made: hooks run last-in first-out.
        env.add_env_cleanup_hook(Arc::clone(&link), |link| link.close())?;
        Ok(Self { link })
    }

    /// Reserves the slot of a session.
    #[napi(catch_unwind)]
    pub fn reserve_slot(&self) -> u32 {
        self.link.reserve_slot()
    }

    /// Reserves the number of a namespace.
    #[napi(catch_unwind)]
    pub fn reserve_namespace(&self) -> u32 {
        self.link.reserve_namespace()
    }

    /// Hands packed commands to the shards. True: events wait to be drained, and the doorbell is not called for them.
    #[napi(catch_unwind)]
    pub fn submit(&self, env: &Env, commands: &[u8], start: u32, end: u32) -> napi::Result<bool> {
        let packed = commands
            .get(start as usize..end as usize)
            .ok_or_else(|| napi::Error::from_reason("the commands exceed the buffer"))?;
        let has_events = self
            .link
            .submit_unrung(packed)
            .map_err(|error| napi::Error::from_reason(format!("sio-rs: {error}")))?;
        self.tell_collector(*env)?;
        Ok(has_events)
    }

    /// Gives the stream behind a descriptor to the core; -1 when it could not be duplicated.
    #[napi(catch_unwind)]
    pub fn adopt(
        &self,
        fd: i32,
        role: u32,
        slot: u32,
        response: &[u8],
        input: &[u8],
        deflate: Option<BindingDeflate>,
    ) -> napi::Result<i64> {
        let (role, deflate) = (role_of(role)?, deflate_of(deflate)?);
        Ok(adopt(&self.link, fd, role, slot, response, input, deflate))
    }

    /// Opens a stream whose bytes JavaScript pumps.
    #[napi(catch_unwind)]
    pub fn bridge(
        &self,
        role: u32,
        slot: u32,
        response: &[u8],
        input: &[u8],
        deflate: Option<BindingDeflate>,
    ) -> napi::Result<u32> {
        Ok(self.link.bridge(role_of(role)?, slot, response, input, deflate_of(deflate)?))
    }

    /// Opens a stream whose packets JavaScript carries.
    #[napi(catch_unwind)]
    pub fn message_bridge(&self, role: u32, slot: u32, framing: u32) -> napi::Result<u32> {
        let framing = match framing {
            1 => Framing::Prefixed,
            2 => Framing::Whole,
            _ => return Err(napi::Error::from_reason("unknown framing of a stream")),
        };
        Ok(self.link.message_bridge(role_of(role)?, slot, framing))
    }

    /// The prefix of the packet at the start of `bytes`; nothing while there are too few.
    #[napi(catch_unwind)]
    pub fn packet_prefix(
        &self,
        bytes: &[u8],
        max_packet_bytes: f64,
    ) -> napi::Result<Option<BindingPrefix>> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the cast saturates, and what JavaScript cannot count is no limit"
        )]
        let max_packet_bytes = max_packet_bytes as u64;
        let parsed = PacketPrefix::parse(bytes, max_packet_bytes)
            .map_err(|error| napi::Error::from_reason(error.to_string()))?;
        Ok(parsed.map(|(prefix, prefix_len)| BindingPrefix {
            is_binary: prefix.is_binary,
            start: i64::try_from(prefix_len).unwrap_or(i64::MAX),
            length: number(prefix.packet_len),
        }))
    }

    /// Fills `target` with packed events: the bytes written, or minus the bytes needed when the first unit does not fit. Records are whole
    /// words, so an odd number says that more is left, to be drained in a later turn.
    #[napi(catch_unwind)]
    pub fn drain(&self, env: &Env, mut target: Buffer) -> napi::Result<i64> {
        let drained = match self.link.drain(target.as_mut()) {
            Drained::Bytes { written, more } => {
                i64::try_from(written).unwrap_or(i64::MAX - 1) | i64::from(more)
            }
            Drained::NeedsRoom(bytes) => -i64::try_from(bytes).unwrap_or(i64::MAX),
        };
        self.tell_collector(*env)?;
        Ok(drained)
    }

    /// The garbage collector counts what waits in native memory, so that it does not take a process for small that is not.
    fn tell_collector(&self, env: Env) -> napi::Result<()> {
        match self.link.native_bytes_change() {
            0 => Ok(()),
            change => env.adjust_external_memory(change).map(drop),
        }
    }

    /// Sets how many bytes may wait in all outboxes of the process and for JavaScript; Infinity is no limit.
    #[napi(catch_unwind)]
    pub fn set_ceiling(&self, bytes: f64) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the cast saturates, and what JavaScript cannot count is no limit"
        )]
        self.link.set_ceiling(bytes as usize);
    }

    /// Bytes of a session that the kernel has not taken.
    #[napi(catch_unwind)]
    pub fn pending(&self, slot: u32) -> u32 {
        self.link.pending(slot)
    }

    /// What waits to be written for a session; nothing if the core takes longer than `milliseconds` to say so.
    #[napi(catch_unwind)]
    pub fn waiting(&self, slot: u32, turn: u32, milliseconds: u32) -> Option<Buffer> {
        let limit = Duration::from_millis(u64::from(milliseconds));
        self.link.waiting(slot, turn, limit).map(Buffer::from)
    }

    /// Waits until the shards have done what was submitted.
    #[napi(catch_unwind)]
    pub fn wait(&self, milliseconds: u32) -> bool {
        self.link.wait(Duration::from_millis(u64::from(milliseconds)))
    }

    /// What the core holds at this moment.
    #[napi(catch_unwind)]
    pub fn counters(&self) -> BindingCounters {
        let counters = self.link.counters();
        BindingCounters {
            sessions: number(counters.sessions),
            connections: number(counters.connections),
            members: number(counters.members),
            rooms: number(counters.rooms),
            broadcasts: number(counters.broadcasts),
            outbox_bytes: number(counters.outbox_bytes),
            slow_sessions_ended: number(counters.slow_sessions_ended),
        }
    }

    /// What operators want to know.
    #[napi(catch_unwind)]
    pub fn metrics(&self) -> BindingMetrics {
        let (traffic, delays) = (self.link.traffic(), self.link.delays());
        let outboxes = self.link.outbox_sizes();
        BindingMetrics {
            packets_received: number(traffic.packets_received),
            bytes_received: number(traffic.bytes_received),
            packets_sent: number(traffic.packets_sent),
            bytes_sent: number(traffic.bytes_sent),
            broadcasts: number(traffic.broadcasts),
            deliveries: number(traffic.deliveries),
            merged: number(traffic.merged),
            slow_clients_ended: number(traffic.slow_clients_ended),
            delay_counts: delays.counts.into_iter().map(number).collect(),
            delay_bounds_us: DELAY_BOUNDS_US.into_iter().map(number).collect(),
            delay_sum_us: number(delays.sum_us),
            delay_max_us: number(delays.max_us),
            outbox_p50: outboxes.p50,
            outbox_p99: outboxes.p99,
            outbox_max: outboxes.max,
            outbox_total: number(outboxes.total),
            threads: u32::try_from(self.link.shard_count()).unwrap_or(u32::MAX),
        }
    }

    /// Drops all sessions of this link.
    #[napi(catch_unwind)]
    pub fn close(&self) {
        self.link.close();
    }
}

/// Notices when the JavaScript thread that made it does not come back to its event loop.
#[napi]
pub struct BindingWatchdog {
    /// Nothing once it was stopped.
    watchdog: Mutex<Option<Watchdog>>,
}

#[napi]
impl BindingWatchdog {
    /// Begins to watch.
    #[napi(constructor, catch_unwind)]
    pub fn new(stalled_after_ms: u32) -> napi::Result<Self> {
        let stalled_after = Duration::from_millis(u64::from(stalled_after_ms));
        let watchdog = Watchdog::new(stalled_after, report_on_stderr)?;
        Ok(Self { watchdog: Mutex::new(Some(watchdog)) })
    }

    /// Gives a sign of life. Returns for how many milliseconds there was none, if that was reported; else 0.
    #[napi(catch_unwind)]
    pub fn sign(&self) -> f64 {
        let watchdog = self.watchdog.lock().unwrap_or_else(PoisonError::into_inner);
        let silence = watchdog.as_ref().and_then(Watchdog::sign);
        silence.map_or(0.0, |silence| silence.as_secs_f64() * 1_000.0)
    }

    /// Ends the watch.
    #[napi(catch_unwind)]
    pub fn stop(&self) {
        *self.watchdog.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// A count as JavaScript takes it.
fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn role_of(number: u32) -> napi::Result<Role> {
    match number {
        0 => Ok(Role::Direct),
        1 => Ok(Role::Candidate),
        2 => Ok(Role::Refused),
        _ => Err(napi::Error::from_reason("unknown role of a stream")),
    }
}

fn deflate_of(deflate: Option<BindingDeflate>) -> napi::Result<Option<DeflateParameters>> {
    let Some(deflate) = deflate else { return Ok(None) };
    let small = |number: u32| {
        u8::try_from(number).map_err(|_| napi::Error::from_reason("a parameter is out of range"))
    };
    let strategy = i32::try_from(deflate.strategy).ok().and_then(|it| it.try_into().ok());
    Ok(Some(DeflateParameters {
        compression: Compression {
            threshold: deflate.threshold,
            window_bits: small(deflate.server_window_bits)?,
            level: small(deflate.level)?,
            memory_level: small(deflate.memory_level)?,
            strategy: strategy.unwrap_or(DeflateStrategy::Default),
            max_compressors: small(deflate.max_compressors)?,
        },
        has_outgoing_context: deflate.server_context,
        incoming_window_bits: small(deflate.client_window_bits)?,
        has_incoming_context: deflate.client_context,
    }))
}

/// The peer's address of an open descriptor, packed as in `sio::server::carrier::endpoint`; -1 when it is no IPv4 address.
#[napi(catch_unwind)]
pub fn peer_of(fd: i32) -> i64 {
    endpoint(fd, End::Peer)
}

/// The same of our own end.
#[napi(catch_unwind)]
pub fn local_of(fd: i32) -> i64 {
    endpoint(fd, End::Local)
}

/// The end of a stream whose address is asked for.
#[derive(Clone, Copy)]
enum End {
    Peer,
    Local,
}

#[cfg(unix)]
fn endpoint(fd: i32, end: End) -> i64 {
    use sio::server::carrier::endpoint::{packed_local, packed_peer};

    let packed = borrow(fd).and_then(|stream| match end {
        End::Peer => packed_peer(stream),
        End::Local => packed_local(stream),
    });
    packed.map_or(-1, number)
}

/// Without descriptors Node is asked.
#[cfg(not(unix))]
fn endpoint(_fd: i32, _end: End) -> i64 {
    -1
}

/// A descriptor that JavaScript has named; nothing for -1, which a closed handle has.
#[cfg(unix)]
#[expect(unsafe_code, reason = "a descriptor arrives from JavaScript as a number")]
fn borrow<'a>(fd: i32) -> Option<std::os::fd::BorrowedFd<'a>> {
    // SAFETY: the caller reads `fd` from a live handle and closes that handle only after this call, on the same thread.
    (fd >= 0).then(|| unsafe { std::os::fd::BorrowedFd::borrow_raw(fd) })
}

/// Duplicates the descriptor while Node still holds it open.
#[cfg(unix)]
fn adopt(
    link: &Link,
    fd: i32,
    role: Role,
    slot: u32,
    response: &[u8],
    input: &[u8],
    deflate: Option<DeflateParameters>,
) -> i64 {
    borrow(fd)
        .and_then(|stream| link.adopt(stream, role, slot, response, input, deflate).ok())
        .map_or(-1, i64::from)
}

/// Without descriptors (Windows) every stream takes the byte bridge.
#[cfg(not(unix))]
fn adopt(
    _link: &Link,
    _fd: i32,
    _role: Role,
    _slot: u32,
    _response: &[u8],
    _input: &[u8],
    _deflate: Option<DeflateParameters>,
) -> i64 {
    -1
}
