//! Floor 2: Engine.IO sessions. What a client's packets, its streams and the time make of a session.
//!
//! Messages are opaque here: no namespace, no room, no ack. Nothing here reads a clock, a stream or a channel: a
//! session is stepped with `now` in milliseconds, queues output in its outbox, and hands up what happened through
//! [`Events`].

mod close_reason;
mod event;
mod heartbeat;
mod ledger;
mod outbox;
mod pace;
mod packet;
mod registry;
mod session;
mod transport;
mod upgrade;
mod variants;

pub use close_reason::CloseReason;
pub(crate) use close_reason::INTERNAL_ERROR;
pub use event::{Events, Response, UpgradeFailure};
pub use ledger::Ledger;
pub use outbox::{Entry, Loss, Outbox, Part, Taken};
pub use registry::Registry;
pub use session::{Session, StreamEnd};
pub use transport::{Frame, Framing, Received, Watch, WebSocket};
pub use variants::Variants;
