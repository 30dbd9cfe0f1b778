//! Which service answers which path.

use std::sync::Arc;

use hyper::Method;
use serde_json::json;

use super::answer::Answer;
use super::server::{Call, Services};
use super::{blocks, injection, mempool, network, streams};
use crate::sandbox::node::{identity, trace};
use crate::sandbox::protocol::{ACTIVE, GENESIS};

/// Answers a request.
pub async fn answer(services: &Arc<Services>, call: &Call) -> Answer {
    let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
    match (&call.method, path.as_slice()) {
        (&Method::GET, ["chains", chain, rest @ ..]) => chain_get(services, call, chain, rest),
        (&Method::POST, ["chains", chain, "blocks", block, rest @ ..]) => {
            match known_chain(services, chain) {
                Ok(()) => blocks::post(services, call, block, rest),
                Err(unknown) => unknown,
            }
        }
        (&Method::GET, ["monitor", rest @ ..]) => streams::monitor(services, call, rest),
        (&Method::POST, ["injection", "block"]) => injection::block(services, call).await,
        (&Method::POST, ["injection", "operation"]) => {
            injection::operation(services, call, injection::Force::No).await
        }
        (&Method::POST, ["private", "injection", "operation"]) => {
            injection::operation(services, call, injection::Force::Yes).await
        }
        (&Method::PUT, ["config", "logging"]) => logging(services, call).await,
        (_, ["network", rest @ ..]) => network::answer(services, call, rest).await,
        (&Method::GET, rest) => about(services, rest),
        (_, rest) => match allowed(rest) {
            Some(methods) => Answer::MethodNotAllowed(methods),
            None => Answer::not_found(),
        },
    }
}

/// `PUT /config/logging` with `{"active_sinks": [URI, …]}`: closes every sink, the event pipe too, and opens these.
async fn logging(services: &Services, call: &Call) -> Answer {
    let sinks = match call.json() {
        Ok(body) => serde_json::from_value::<Vec<String>>(body["active_sinks"].clone()),
        Err(bad) => return bad,
    };
    let Ok(sinks) = sinks else {
        return Answer::bad_body("active_sinks is no list of URIs");
    };
    match services.sink.replace(&sinks).await {
        Ok(()) => Answer::Json(json!({})),
        Err(error) => Answer::refused(trace::of_error("failure", &error)),
    }
}

/// What is asked of the node itself.
fn about(services: &Services, path: &[&str]) -> Answer {
    match path {
        ["health", "ready"] => Answer::Json(json!({ "ready": true })),
        ["version"] => Answer::Json(identity::version_json()),
        ["config"] => Answer::Json(services.config.to_json()),
        ["config", "network", "user_activated_upgrades"] => {
            services.chain(|chain| Answer::Json(chain.upgrades().to_json()))
        }
        ["config", "network", "user_activated_protocol_overrides"] => Answer::Json(json!([])),
        ["protocols"] => {
            let known = ACTIVE.iter().map(|protocol| protocol.hash);
            Answer::Json(std::iter::once(GENESIS).chain(known).collect())
        }
        _ => match allowed(path) {
            Some(methods) => Answer::MethodNotAllowed(methods),
            None => Answer::not_found(),
        },
    }
}

/// The methods of a path that has others than the one it was asked with.
fn allowed(path: &[&str]) -> Option<&'static str> {
    match path {
        ["injection", "block" | "operation"] | ["private", "injection", "operation"] => {
            Some("POST")
        }
        ["config", "logging"] => Some("PUT"),
        ["health", "ready"]
        | ["version" | "config" | "protocols"]
        | ["config", "network", "user_activated_upgrades" | "user_activated_protocol_overrides"]
        | ["chains" | "monitor", ..] => Some("GET"),
        _ => None,
    }
}

/// `main` or the chain's identifier.
pub fn known_chain(services: &Services, chain: &str) -> Result<(), Answer> {
    let id = services.chain(|chain| chain.id().to_string());
    if chain == "main" || chain == id { Ok(()) } else { Err(Answer::unknown("unknown chain")) }
}

fn chain_get(services: &Services, call: &Call, chain: &str, path: &[&str]) -> Answer {
    if let Err(unknown) = known_chain(services, chain) {
        return unknown;
    }
    match path {
        ["chain_id"] => services.chain(|chain| Answer::Json(json!(chain.id()))),
        ["is_bootstrapped"] => services.shell.with(|state| {
            let synchronisation = state.synchronisation();
            Answer::Json(json!({
                "bootstrapped": synchronisation.bootstrapped,
                "sync_state": synchronisation.word(),
            }))
        }),
        ["invalid_blocks"] => Answer::Json(json!([])),
        ["blocks"] => blocks::list(services, call),
        ["blocks", block, rest @ ..] => blocks::get(services, call, block, rest),
        ["mempool", "pending_operations"] => mempool::pending(services, call),
        ["mempool", "monitor_operations"] => streams::mempool(services, call),
        _ => Answer::not_found(),
    }
}
