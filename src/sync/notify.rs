//! The `Notify` of tokio for the models: each call goes through a lock that loom knows. So calls come in every order, and what was
//! done before one is seen after the next, as tokio has it; loom cannot look into tokio.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::futures;

use crate::sync::Mutex;

/// See [`tokio::sync::Notify`].
#[derive(Debug, Default)]
pub(crate) struct Notify {
    inner: tokio::sync::Notify,
    order: Mutex<()>,
}

impl Notify {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn notify_one(&self) {
        let _order = self.order.lock();
        self.inner.notify_one();
    }

    pub(crate) fn notify_waiters(&self) {
        let _order = self.order.lock();
        self.inner.notify_waiters();
    }

    pub(crate) fn notified(&self) -> Notified<'_> {
        let _order = self.order.lock();
        Notified { inner: Box::pin(self.inner.notified()), order: &self.order }
    }
}

/// See [`tokio::sync::futures::Notified`].
pub(crate) struct Notified<'a> {
    inner: Pin<Box<futures::Notified<'a>>>,
    order: &'a Mutex<()>,
}

impl Notified<'_> {
    pub(crate) fn enable(mut self: Pin<&mut Self>) -> bool {
        let _order = self.order.lock();
        self.inner.as_mut().enable()
    }
}

impl Future for Notified<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let _order = self.order.lock();
        self.inner.as_mut().poll(context)
    }
}
