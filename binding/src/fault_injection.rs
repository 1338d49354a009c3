//! What tests need to see what a fault of the core costs. No published binary has it. It is a module of its own, since the macro that exports
//! the methods of a class takes all of a block whatever their `cfg` says.

use napi_derive::napi;

use crate::BindingLink;

#[napi]
impl BindingLink {
    /// Has the core panic in a step of this session.
    #[napi(catch_unwind)]
    pub fn fail(&self, slot: u32) {
        self.link.fail(slot);
    }
}
