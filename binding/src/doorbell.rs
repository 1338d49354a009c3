//! The doorbell: one weak threadsafe function, rung by shards when events wait.
//!
//! It never keeps the process alive; JavaScript does that with a timer of its own. `worker.terminate()` aborts the whole process when a
//! thread still uses the function of a dying environment, so every ring takes the lock under which the cleanup hook silences it.

use std::sync::{PoisonError, RwLock};

use napi::Status;
use napi::bindgen_prelude::Function;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};

/// No argument, no result, errors thrown as they are, weak.
type Callback = ThreadsafeFunction<(), (), (), Status, false, true>;

/// Rings JavaScript from any thread, until silenced.
pub(crate) struct Doorbell {
    callback: RwLock<Option<Callback>>,
}

impl Doorbell {
    /// Wraps the function to call.
    pub(crate) fn new(function: &Function<'_, (), ()>) -> napi::Result<Self> {
        let callback = function
            .build_threadsafe_function()
            .callee_handled::<false>()
            .weak::<true>()
            .build()?;
        Ok(Self { callback: RwLock::new(Some(callback)) })
    }

    /// Asks Node to call the function on its own thread. Does nothing once silenced.
    pub(crate) fn ring(&self) {
        let callback = self.callback.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(callback) = callback.as_ref() {
            callback.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }

    /// Takes the function away. When this returns no thread uses it any more.
    pub(crate) fn silence(&self) {
        self.callback.write().unwrap_or_else(PoisonError::into_inner).take();
    }
}
