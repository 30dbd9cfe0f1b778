//! The HTTP side of the RPCs: listening, reading a request, writing its answer.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::answer::{Answer, AnswerBody};
use super::route;
use crate::sandbox::node::chain::Chain;
use crate::sandbox::node::config::ConfigFile;
use crate::sandbox::node::p2p::Network;
use crate::sandbox::node::shell::Shell;
use crate::sandbox::node::worker::Worker;
use crate::sandbox::sink::Sink;

/// A body longer than this is refused; the longest of a sandbox is a block's.
const MAX_BODY: usize = 16 << 20;

/// After a connection could not be accepted. Out of descriptors, most likely: others are being closed meanwhile.
pub const PATIENCE: Duration = Duration::from_millis(50);

/// What the RPCs look at and act on.
#[derive(Debug)]
pub struct Services {
    pub shell: Shell,
    pub worker: Worker,
    pub network: Network,
    pub config: ConfigFile,
    pub sink: Sink,
}

/// A request, taken apart.
#[derive(Debug)]
pub struct Call {
    pub method: Method,
    /// The decoded, non-empty segments of the path.
    pub path: Vec<String>,
    pub query: Vec<(String, String)>,
    pub body: Bytes,
}

impl Call {
    /// The last value of this query parameter.
    pub fn query(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().rev().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// A yes-or-no parameter: present without a value, `true` or `yes` is yes.
    pub fn flag(&self, name: &str, default: bool) -> bool {
        self.query(name).map_or(default, |value| matches!(value, "" | "true" | "yes"))
    }

    /// The body as JSON; an empty one is `{}`.
    pub fn json(&self) -> Result<serde_json::Value, Answer> {
        let body: &[u8] = if self.body.is_empty() { b"{}" } else { &self.body };
        serde_json::from_slice(body).map_err(|error| Answer::bad_body(&error.to_string()))
    }
}

impl Services {
    pub fn chain<R>(&self, look: impl FnOnce(&Chain) -> R) -> R {
        self.shell.with(|state| look(&state.chain))
    }
}

/// Answers whoever connects, until the node ends.
pub async fn serve(services: Arc<Services>, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let services = Arc::clone(&services);
                tokio::spawn(async move {
                    let service = service_fn(|request| answer(&services, request));
                    // A client that breaks off or talks nonsense has been answered 400 or is gone.
                    let _ =
                        http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
            Err(_) => tokio::time::sleep(PATIENCE).await,
        }
    }
}

async fn answer(
    services: &Arc<Services>,
    request: Request<Incoming>,
) -> Result<Response<AnswerBody>, Infallible> {
    let answer = match read(request).await {
        Ok(call) => route::answer(services, &call).await,
        Err(answer) => answer,
    };
    Ok(answer.into_response())
}

async fn read(request: Request<Incoming>) -> Result<Call, Answer> {
    let (head, body) = request.into_parts();
    let path = head.uri.path().split('/').filter(|segment| !segment.is_empty());
    let path = path.map(decode).collect::<Option<Vec<String>>>();
    let path = path.ok_or_else(|| Answer::bad_argument("path", "bad percent-encoding"))?;
    let query = parse_query(head.uri.query().unwrap_or_default())
        .ok_or_else(|| Answer::bad_query("bad percent-encoding"))?;
    let body = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return Err(Answer::Text(StatusCode::PAYLOAD_TOO_LARGE, String::new()));
        }
        Err(error) => return Err(Answer::bad_body(&error.to_string())),
    };
    Ok(Call { method: head.method, path, query, body })
}

fn parse_query(query: &str) -> Option<Vec<(String, String)>> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(key)?, decode(value)?))
        })
        .collect()
}

/// Percent-decodes; `None` for what is not UTF-8 or ends within an escape.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first == b'%' {
            let (digits, tail) = tail.split_at_checked(2)?;
            bytes.extend(hex::decode(digits).ok()?);
            rest = tail;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_queries_are_percent_decoded() {
        assert_eq!(decode("head%7E2").as_deref(), Some("head~2"));
        for garbage in ["%", "%2", "%zz", "%ff"] {
            assert_eq!(decode(garbage), None, "{garbage}");
        }
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let query = parse_query("a=1&b&a=%3D&&c=").unwrap();
        assert_eq!(query, [pair("a", "1"), pair("b", ""), pair("a", "="), pair("c", "")]);
    }
}
