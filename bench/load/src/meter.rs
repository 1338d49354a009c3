//! Counts the units of a phase and says when all have come, when one came too many, and when none
//! comes any more. Also the generator's own CPU, so that nobody takes its limit for a server's.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crate::failure::Result;

/// Silence after which the missing units are given up: far above any pause of a server at work.
const STALL: Duration = Duration::from_secs(15);

/// What the process is busy with.
#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Waiting,
    Opening,
    Running,
}

/// The counter of the phase at hand.
pub(crate) struct Meter {
    phase: Phase,
    target: u64,
    done: u64,
    /// When `done` last moved, as far as the loop looked.
    progress: (u64, Instant),
    started: Instant,
    cpu_started: Duration,
    latencies: Vec<Duration>,
}

/// What a finished phase came to.
pub(crate) struct Account {
    pub(crate) units: u64,
    is_opening: bool,
    wall: Duration,
    cpu: Duration,
    /// Sorted.
    latencies: Vec<Duration>,
}

impl Meter {
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        Self {
            phase: Phase::Waiting,
            target: 0,
            done: 0,
            progress: (0, now),
            started: now,
            cpu_started: Duration::ZERO,
            latencies: Vec::new(),
        }
    }

    pub(crate) fn begin_opening(&mut self, clients: u64) -> Result<()> {
        self.begin(Phase::Opening, clients)
    }

    pub(crate) fn begin_running(&mut self, units: u64) -> Result<()> {
        self.begin(Phase::Running, units)
    }

    fn begin(&mut self, phase: Phase, target: u64) -> Result<()> {
        if self.phase != Phase::Waiting {
            return Err("a command before the last one was done".into());
        }
        let now = Instant::now();
        *self = Self { phase, target, started: now, progress: (0, now), ..Self::new() };
        self.cpu_started = own_cpu()?;
        Ok(())
    }

    pub(crate) fn target(&self) -> u64 {
        self.target
    }

    /// A client is open.
    pub(crate) fn opened(&mut self) -> Result<()> {
        self.count(Phase::Opening, "a client opened twice")
    }

    /// A unit of the load is done.
    pub(crate) fn unit(&mut self) -> Result<()> {
        self.count(Phase::Running, "a packet after the last one expected")
    }

    /// A unit of a load that has no last one. Servers send them in bursts, so those that come with
    /// the target's are counted too; outside a run they are not.
    pub(crate) fn endless_unit(&mut self) {
        if self.phase == Phase::Running {
            self.done += 1;
        }
    }

    fn count(&mut self, phase: Phase, fault: &str) -> Result<()> {
        if self.phase != phase || self.done == self.target {
            return Err(fault.into());
        }
        self.done += 1;
        Ok(())
    }

    pub(crate) fn latency(&mut self, since: Instant) {
        self.latencies.push(since.elapsed());
    }

    /// The account, once the phase's last unit is done.
    pub(crate) fn finish(&mut self) -> Result<Option<Account>> {
        if self.phase == Phase::Waiting {
            return Ok(None);
        }
        if self.done < self.target {
            if self.progress.0 != self.done {
                self.progress = (self.done, Instant::now());
            } else if self.progress.1.elapsed() > STALL {
                let missing = self.target - self.done;
                return Err(format!("{missing} of {} are missing", self.target).into());
            }
            return Ok(None);
        }
        let is_opening = self.phase == Phase::Opening;
        self.phase = Phase::Waiting;
        let mut latencies = std::mem::take(&mut self.latencies);
        latencies.sort_unstable();
        Ok(Some(Account {
            units: self.done,
            is_opening,
            wall: self.started.elapsed(),
            cpu: own_cpu()?.saturating_sub(self.cpu_started),
            latencies,
        }))
    }
}

impl Account {
    pub(crate) fn is_opening(&self) -> bool {
        self.is_opening
    }

    pub(crate) fn to_json(&self) -> String {
        let Self { units, wall, cpu, .. } = self;
        let name = if self.is_opening { "opened" } else { "done" };
        let mut json = format!(
            "{{\"{name}\":{units},\"wallUs\":{},\"cpuUs\":{}",
            wall.as_micros(),
            cpu.as_micros()
        );
        for (name, percent) in [("p50Ns", 50), ("p99Ns", 99)] {
            if let Some(latency) = self.percentile(percent) {
                // Writing to a String cannot fail.
                let _ = write!(json, ",\"{name}\":{}", latency.as_nanos());
            }
        }
        json.push('}');
        json
    }

    fn percentile(&self, percent: usize) -> Option<Duration> {
        self.latencies.get(self.latencies.len() * percent / 100).copied()
    }
}

/// CPU time of the loop's thread; the other one sleeps on the standard input.
fn own_cpu() -> Result<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = text.split(' ').next().unwrap_or_default().parse()?;
    Ok(Duration::from_nanos(nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::Meter;

    #[test]
    fn a_phase_ends_with_its_last_unit_and_refuses_one_more() {
        let mut meter = Meter::new();
        meter.begin_running(2).unwrap();
        meter.unit().unwrap();
        assert!(meter.finish().unwrap().is_none());
        meter.unit().unwrap();
        assert!(meter.unit().is_err(), "before the account");
        assert_eq!(meter.finish().unwrap().unwrap().units, 2);
        assert!(meter.unit().is_err(), "after the account");
    }

    #[test]
    fn an_endless_load_may_do_more_than_was_asked() {
        let mut meter = Meter::new();
        meter.endless_unit();
        meter.begin_running(1).unwrap();
        meter.endless_unit();
        meter.endless_unit();
        assert_eq!(meter.finish().unwrap().unwrap().units, 2);
        meter.endless_unit();
        assert!(meter.finish().unwrap().is_none());
    }

    #[test]
    fn a_second_command_waits_for_the_first() {
        let mut meter = Meter::new();
        meter.begin_opening(1).unwrap();
        assert!(meter.begin_running(1).is_err());
    }
}
