//! What ends a run. Every fault is fatal: a benchmark with a lost packet has no figure to show.

use std::error::Error;

/// A fault and its text, which the runner prints as it is.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// The result of anything that touches a peer.
pub(crate) type Result<T> = std::result::Result<T, Failure>;
