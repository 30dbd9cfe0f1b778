//! Notices that an actor panicked. actix would only drop the actor, and the run would pass.

use std::sync::{Arc, Mutex, PoisonError};

/// Remembers the first actor that panicked; cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct PanicLatch {
    first: Arc<Mutex<Option<&'static str>>>,
}

impl PanicLatch {
    pub(crate) fn panicked(&self) -> Option<&'static str> {
        *self.first.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be held by an actor for as long as it lives.
    pub(crate) fn guard(&self, actor: &'static str) -> PanicGuard {
        PanicGuard { latch: self.clone(), actor }
    }
}

#[derive(Debug)]
pub(crate) struct PanicGuard {
    latch: PanicLatch,
    actor: &'static str,
}

impl Drop for PanicGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut first = self.latch.first.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert(self.actor);
        }
    }
}
