//! The RPCs that never end: one item for each piece of news.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::mpsc::{self, UnboundedReceiver};

use super::answer::Answer;
use super::blocks::{applied_item, head_item};
use super::route::known_chain;
use super::server::{Call, Services};
use crate::sandbox::block::rfc3339;
use crate::sandbox::hash::ProtocolHash;
use crate::sandbox::node::chain::{Block, Chain};
use crate::sandbox::node::mempool::{Class, Pending};

/// How many items may wait in an answer for a slow reader; the rest waits in the subscription.
const BUFFER: usize = 16;

/// `GET /monitor/…`
pub fn monitor(services: &Arc<Services>, call: &Call, path: &[&str]) -> Answer {
    let wanted = match protocols(call, "next_protocol") {
        Ok(wanted) => wanted,
        Err(bad) => return bad,
    };
    match path {
        ["heads", chain] => {
            if let Err(unknown) = known_chain(services, chain) {
                return unknown;
            }
            let news = services.shell.with(|state| {
                let head = Arc::clone(state.chain.head());
                (Some(head), state.subscribe_heads())
            });
            blocks(news, wanted, head_item)
        }
        ["applied_blocks" | "validated_blocks"] => {
            if let Err(unknown) = known_chain(services, call.query("chain").unwrap_or("main")) {
                return unknown;
            }
            let chain = services.chain(Chain::id);
            let news = services.shell.with(|state| (None, state.subscribe_applied()));
            blocks(news, wanted, move |block| applied_item(chain, block))
        }
        ["bootstrapped"] => bootstrapped(services),
        _ => Answer::not_found(),
    }
}

/// The protocols that a query parameter names; none is no filter.
fn protocols(call: &Call, name: &str) -> Result<Vec<ProtocolHash>, Answer> {
    let named = call.query.iter().filter(|(key, _)| key == name);
    named
        .map(|(_, hash)| hash.parse().map_err(|error| Answer::bad_query(&format!("{error}"))))
        .collect()
}

/// An answer with the first block, if there is one, and then those of the subscription.
fn blocks(
    (first, mut news): (Option<Arc<Block>>, UnboundedReceiver<Arc<Block>>),
    wanted: Vec<ProtocolHash>,
    item: impl Fn(&Block) -> Value + Send + 'static,
) -> Answer {
    let (items, answer) = mpsc::channel(BUFFER);
    tokio::spawn(async move {
        let mut next = first;
        loop {
            if let Some(block) = next.take()
                && (wanted.is_empty() || wanted.contains(&block.next_protocol))
                && items.send(item(&block)).await.is_err()
            {
                return;
            }
            next = tokio::select! {
                block = news.recv() => block,
                () = items.closed() => return,
            };
            if next.is_none() {
                return;
            }
        }
    });
    Answer::Stream(answer)
}

/// The head, then each new one, until the node is bootstrapped.
fn bootstrapped(services: &Arc<Services>) -> Answer {
    let (head, mut news) =
        services.shell.with(|state| (Arc::clone(state.chain.head()), state.subscribe_heads()));
    let mut done = services.shell.with(|state| state.subscribe_synchronisation());
    let (items, answer) = mpsc::channel(BUFFER);
    let item = |block: &Block| json!({ "block": block.hash, "timestamp": rfc3339(block.header.timestamp) });
    tokio::spawn(async move {
        let mut next = Some(head);
        while let Some(block) = next {
            if items.send(item(&block)).await.is_err() {
                return;
            }
            next = tokio::select! {
                biased;
                _ = done.wait_for(|now| now.bootstrapped) => None,
                block = news.recv() => block,
                () = items.closed() => None,
            };
        }
    });
    Answer::Stream(answer)
}

/// `GET /chains/main/mempool/monitor_operations`: what is there, then what comes, until the next head.
pub fn mempool(services: &Services, call: &Call) -> Answer {
    // Octez shows the validated ones and those that another head may validate, unless asked otherwise.
    let shown: Vec<Class> = Class::ALL
        .into_iter()
        .filter(|class| {
            let default = matches!(class, Class::Validated | Class::BranchDelayed);
            call.flag(class.word(), default)
        })
        .collect();
    let (protocol, first, mut news) = services.shell.with(|state| {
        let protocol = state.chain.head().next_protocol;
        let first: Vec<Pending> = state.mempool.iter().cloned().collect();
        (protocol, first, state.subscribe_mempool())
    });
    let item = move |pending: &[Pending]| -> Value {
        let shown = pending.iter().filter(|pending| shown.contains(&pending.class()));
        shown.map(|pending| pending.to_json(Some(&protocol))).collect()
    };
    let (items, answer) = mpsc::channel(BUFFER);
    tokio::spawn(async move {
        if items.send(item(&first)).await.is_err() {
            return;
        }
        loop {
            let pending = tokio::select! {
                pending = news.recv() => pending,
                () = items.closed() => return,
            };
            let Some(pending) = pending else {
                return;
            };
            let item = item(std::slice::from_ref(&pending));
            let is_empty = item.as_array().is_none_or(Vec::is_empty);
            if !is_empty && items.send(item).await.is_err() {
                return;
            }
        }
    });
    Answer::Stream(answer)
}
