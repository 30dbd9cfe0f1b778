//! `GET /metrics`: what a node counts, in the text format of Prometheus.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::rpc::server::PATIENCE;
use super::shell::Shell;

/// Answers whoever connects, until the node ends.
pub async fn serve(shell: Shell, listener: TcpListener) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(PATIENCE).await;
            continue;
        };
        let shell = shell.clone();
        tokio::spawn(async move {
            let service = service_fn(async |request| Ok::<_, Infallible>(answer(&shell, &request)));
            // A client that breaks off or talks nonsense has been answered 400 or is gone.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

fn answer<T>(shell: &Shell, request: &Request<T>) -> Response<Full<Bytes>> {
    let known = request.method() == Method::GET && request.uri().path() == "/metrics";
    let text = if known { metrics(shell) } else { String::new() };
    let mut response = Response::new(Full::from(text));
    if !known {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    let plain = HeaderValue::from_static("text/plain; version=0.0.4");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}

/// The few that the sandbox has a meaning for, by the names of Octez.
fn metrics(shell: &Shell) -> String {
    let (level, round, bootstrapped) = shell.with(|state| {
        let head = state.chain.head();
        (head.level(), head.header.round(), state.synchronisation().bootstrapped.into())
    });
    let gauges = [
        ("octez_validator_chain_head_level", level),
        ("octez_validator_chain_head_round", round),
        ("octez_validator_chain_is_bootstrapped", bootstrapped),
    ];
    let gauges = gauges.map(|(name, value)| format!("# TYPE {name} gauge\n{name} {value}\n"));
    gauges.concat()
}
