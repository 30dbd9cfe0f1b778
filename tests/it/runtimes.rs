//! Handles need no async runtime of their caller: neither its timers nor its sockets.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use tribunal::harness::{Grace, Harness, WaitError};

use crate::support::{TIMEOUT, TRIBUNAL, assert_clean};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Polls on this thread and parks it in between; there is nothing else.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(done) => return done,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn handles_work_without_an_async_runtime() {
    block_on(async {
        let harness = Harness::builder().sandbox(TRIBUNAL).start().await.unwrap();
        let run_id = harness.run_id().to_owned();
        let node = harness.node("node").synchronisation_threshold(0).init().await.unwrap();
        let client = harness.client(&node);
        client.activate().await.unwrap();
        let accuser = harness.accuser("accuser", &node).init().await.unwrap();
        let processed = accuser.wait_for("accuser_processed_block.v0");
        let block = client.bake_for("bootstrap1").await.unwrap();
        assert_eq!(processed.within(TIMEOUT).await.unwrap().value.as_str(), Some(&*block.hash));
        assert_eq!(node.wait_for_level_within(2, TIMEOUT).await.unwrap(), 2);
        assert_eq!(
            harness.exec(words(["true"]), Vec::new(), TIMEOUT).await.unwrap().status.code(),
            Some(0)
        );
        let late = accuser.wait_for("never.v0").within(Duration::from_millis(10)).await;
        assert!(matches!(late, Err(WaitError::TimedOut { .. })), "{late:?}");
        accuser.restart().await.unwrap();
        accuser.terminate(Grace::default()).await.unwrap();
        let summary = harness.shutdown().await.unwrap();
        assert_clean(&summary, &run_id);
    });
}

fn words<const N: usize>(words: [&str; N]) -> tribunal::daemon::CommandLine {
    tribunal::daemon::CommandLine::new(words)
}
