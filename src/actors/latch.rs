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

#[cfg(test)]
mod tests {
    use actix::{Actor, Context, Handler, Message};

    use super::*;

    struct Fragile {
        _guard: PanicGuard,
    }

    impl Actor for Fragile {
        type Context = Context<Self>;
    }

    #[derive(Message)]
    #[rtype(result = "()")]
    struct Break(bool);

    impl Handler<Break> for Fragile {
        type Result = ();

        fn handle(&mut self, message: Break, _: &mut Context<Self>) {
            assert!(!message.0, "as asked");
        }
    }

    #[test]
    fn a_panic_in_a_handler_is_remembered_and_a_normal_end_is_not() {
        actix_rt::System::new().block_on(async {
            let latch = PanicLatch::default();
            let sound = Fragile { _guard: latch.guard("Sound") }.start();
            sound.send(Break(false)).await.unwrap();
            drop(sound);
            assert_eq!(latch.panicked(), None);
            let broken = Fragile { _guard: latch.guard("Broken") }.start();
            assert!(broken.send(Break(true)).await.is_err());
            assert_eq!(latch.panicked(), Some("Broken"));
        });
    }
}
