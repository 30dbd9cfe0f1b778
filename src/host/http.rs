//! One HTTP request: what a node's RPC and a readiness probe need, and no more.

use std::fmt;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// The largest answer that is taken.
pub const LARGEST: usize = 64 * 1024 * 1024;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    /// As it stands in a request.
    pub fn word(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    #[error("{url:?} is no http:// URL")]
    Url { url: String },
    #[error("no connection to {authority}")]
    Connect {
        authority: String,
        #[source]
        source: std::io::Error,
    },
    #[error("{method} {url} was not answered")]
    Exchange {
        method: Method,
        url: String,
        #[source]
        source: hyper::Error,
    },
    #[error("the answer to {method} {url} was not read: {reason}")]
    Body { method: Method, url: String, reason: String },
    #[error("{method} {url} took longer than {within:?}")]
    TimedOut { method: Method, url: String, within: Duration },
}

/// Sends one request on a connection of its own. A status that is an error is an answer all the same.
pub async fn request(
    method: Method,
    url: &str,
    body: Option<Vec<u8>>,
    within: Duration,
) -> Result<Answer, HttpError> {
    let late = HttpError::TimedOut { method, url: url.to_owned(), within };
    tokio::time::timeout(within, exchange(method, url, body)).await.unwrap_or(Err(late))
}

async fn exchange(method: Method, url: &str, body: Option<Vec<u8>>) -> Result<Answer, HttpError> {
    let no_url = || HttpError::Url { url: url.to_owned() };
    let uri: Uri = url.parse().map_err(|_| no_url())?;
    let host = uri.host().filter(|_| uri.scheme_str() == Some("http")).ok_or_else(no_url)?;
    let authority = format!("{host}:{}", uri.port_u16().unwrap_or(80));
    let failed = |source| HttpError::Exchange { method, url: url.to_owned(), source };

    let stream = TcpStream::connect(&authority)
        .await
        .map_err(|source| HttpError::Connect { authority: authority.clone(), source })?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::builder().method(method.word()).uri(path).header("host", &authority);
    if body.is_some() {
        request = request.header("content-type", "application/json");
    }
    let request = request
        .header("accept", "application/json")
        .body(Full::new(Bytes::from(body.unwrap_or_default())))
        .map_err(|_| no_url())?;

    let answer = async {
        let response = sender.send_request(request).await.map_err(failed)?;
        let status = response.status().as_u16();
        let unread = |reason: String| HttpError::Body { method, url: url.to_owned(), reason };
        let body = Limited::new(response.into_body(), LARGEST).collect().await;
        let body = body.map_err(|error| unread(error.to_string()))?.to_bytes();
        Ok(Answer { status, body })
    };
    // The connection does its work only while it is polled; it ends after the answer it was made for.
    tokio::pin!(answer);
    tokio::pin!(connection);
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        ended = &mut connection => match ended {
            Ok(()) => answer.await,
            Err(source) => Err(failed(source)),
        },
    }
}

/// Whether the URL answers with a 2xx status now.
pub async fn answers(url: &str) -> bool {
    const ATTEMPT: Duration = Duration::from_secs(2);
    request(Method::Get, url, None, ATTEMPT).await.is_ok_and(|answer| {
        StatusCode::from_u16(answer.status).is_ok_and(|status| status.is_success())
    })
}

/// Whether `HOST:PORT` accepts a connection now.
pub async fn accepts(address: &str) -> bool {
    TcpStream::connect(address).await.is_ok()
}
