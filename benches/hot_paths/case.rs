//! One thing that is measured.

/// A hot path with an input that never changes, so that it does the same each time.
#[derive(Clone)]
pub(crate) struct Case {
    /// What it is called in tables.
    pub(crate) name: &'static str,
    /// What its cost is told for.
    pub(crate) unit: &'static str,
    /// How many of them a round has.
    pub(crate) units: u32,
    /// How many rounds are measured after one start; twice as many must be possible too.
    pub(crate) rounds: u32,
    /// What comes before the first round, and returns the round.
    pub(crate) prepare: fn() -> Round,
}

/// Does all units of one round.
pub(crate) type Round = Box<dyn FnMut()>;
