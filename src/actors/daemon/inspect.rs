//! How much of what a daemon wrote has not been read yet.

use std::collections::HashMap;

use actix::{AsyncContext, Context, Handler, Message, WrapFuture};
use tokio::sync::oneshot;

use super::Daemon;
use crate::actors::event_pipe::{Backlog, Gauge};
use crate::daemon::DaemonName;

/// The backlog of every daemon's pipes.
pub(crate) type Backlogs = HashMap<DaemonName, Vec<Backlog>>;

/// Asks every pipe of the living incarnation how full it is.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct GaugePipes {
    pub(crate) reply: oneshot::Sender<Vec<Backlog>>,
}

impl Handler<GaugePipes> for Daemon {
    type Result = ();

    fn handle(&mut self, gauge: GaugePipes, ctx: &mut Context<Self>) {
        let gauged: Vec<_> = self
            .pipes
            .iter()
            .map(|pipe| {
                let (reply, gauged) = oneshot::channel();
                pipe.do_send(Gauge { reply });
                gauged
            })
            .collect();
        let all = async move {
            let mut backlogs = Vec::new();
            for one in gauged {
                // A pipe that is gone holds nothing any more.
                backlogs.extend(one.await.ok());
            }
            // Who asked may have gone on.
            let _ = gauge.reply.send(backlogs);
        };
        ctx.spawn(all.into_actor(self));
    }
}
