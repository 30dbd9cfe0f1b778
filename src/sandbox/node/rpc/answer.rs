//! Answers: a JSON body, an error, or a stream of JSON items, each ended by a newline.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::sandbox::node::trace;

/// What a request is answered with.
#[derive(Debug)]
pub enum Answer {
    Json(Value),
    /// An Octez error trace, with the status it comes with.
    Error(StatusCode, Value),
    /// Plain text, with the status it comes with.
    Text(StatusCode, String),
    /// The path exists, but not for this method.
    MethodNotAllowed(&'static str),
    /// Items until the sender is dropped.
    Stream(mpsc::Receiver<Value>),
}

impl Answer {
    /// Nobody answers at this path.
    pub fn not_found() -> Self {
        Self::Text(StatusCode::NOT_FOUND, "No service found at this URL\n".to_owned())
    }

    /// There is no such block, operation or peer.
    pub fn unknown(what: &str) -> Self {
        let error = json!({ "kind": "permanent", "id": "rpc.not_found", "msg": what });
        Self::Error(StatusCode::NOT_FOUND, json!([error]))
    }

    /// A part of the path or query is no value of its kind.
    pub fn bad_argument(name: &str, message: &str) -> Self {
        let text = format!("Failed to parse argument '{name}': {message}\n");
        Self::Text(StatusCode::BAD_REQUEST, text)
    }

    pub fn bad_query(message: &str) -> Self {
        let text = format!("Failed to parse the query string: {message}\n");
        Self::Text(StatusCode::BAD_REQUEST, text)
    }

    pub fn bad_body(message: &str) -> Self {
        let text = format!("Failed to parse the request body: {message}\n");
        Self::Text(StatusCode::BAD_REQUEST, text)
    }

    /// What Octez calls an internal error: the request was understood, and refused.
    pub fn refused(trace: Value) -> Self {
        Self::Error(StatusCode::INTERNAL_SERVER_ERROR, trace)
    }

    /// As [`Self::refused`], for an error without an identifier of its own.
    pub fn failed(message: &str) -> Self {
        Self::refused(json!([trace::failure(message)]))
    }

    pub fn into_response(self) -> Response<AnswerBody> {
        let json = "application/json";
        let text = "text/plain";
        let mut allowed = None;
        let (status, content_type, body) = match self {
            Self::Json(value) => (StatusCode::OK, json, AnswerBody::whole(line(&value))),
            Self::Error(status, trace) => (status, json, AnswerBody::whole(line(&trace))),
            Self::Text(status, message) => (status, text, AnswerBody::whole(message.into())),
            Self::MethodNotAllowed(methods) => {
                allowed = Some(methods);
                (StatusCode::METHOD_NOT_ALLOWED, text, AnswerBody::whole(Bytes::new()))
            }
            Self::Stream(items) => (StatusCode::OK, json, AnswerBody::Stream(items)),
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if let Some(methods) = allowed {
            headers.insert(ALLOW, HeaderValue::from_static(methods));
        }
        response
    }
}

fn line(value: &Value) -> Bytes {
    format!("{value}\n").into()
}

/// The body of an answer; a stream's items come out as one chunk each.
#[derive(Debug)]
pub enum AnswerBody {
    Whole(Option<Bytes>),
    Stream(mpsc::Receiver<Value>),
}

impl AnswerBody {
    fn whole(bytes: Bytes) -> Self {
        Self::Whole(Some(bytes))
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream(items) => {
                items.poll_recv(context).map(|item| item.map(|item| Ok(Frame::data(line(&item)))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Stream(_) => SizeHint::default(),
        }
    }
}
