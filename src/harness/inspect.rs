//! What is going on in a harness at this moment.

use std::collections::HashMap;

use tokio::sync::oneshot;

use super::Harness;
use crate::actors::event_bus::{Expire, ListWaits, PendingWait};
use crate::actors::event_pipe::Backlog;
use crate::actors::supervisor::Inspect;
use crate::daemon::DaemonName;
use crate::event::waiters::WaiterId;

/// Waits and pipes, as they were when they were asked.
#[derive(Clone, Debug, Default)]
pub struct Inspection {
    /// Oldest first.
    pub waits: Vec<PendingWait>,
    /// What the pipes of each daemon's living incarnation hold.
    pub backlogs: HashMap<DaemonName, Vec<Backlog>>,
}

impl Harness {
    /// What is waited for, and what has been written and not been read.
    pub async fn inspect(&self) -> Inspection {
        let (reply, waits) = oneshot::channel();
        self.core.bus.do_send(ListWaits { reply });
        let (reply, backlogs) = oneshot::channel();
        self.core.supervisor.do_send(Inspect { reply });
        Inspection {
            waits: waits.await.unwrap_or_default(),
            backlogs: backlogs.await.unwrap_or_default(),
        }
    }

    /// Ends these waits as timed out, as if their time were over.
    pub(crate) fn expire(&self, waits: Vec<WaiterId>) {
        self.core.bus.do_send(Expire(waits));
    }
}
