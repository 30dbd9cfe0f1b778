//! One request: connect, send, and read the answer whole or line by line.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::{Asked, Endpoint, Lines, RpcClient, RpcError};
use crate::sandbox::sink::{Level, Sink};

/// How often a request is made that is answered with 502, and how much longer each pause between two attempts is
/// (`src/lib_rpc_http/RPC_client_unix.ml`).
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(100);

impl RpcClient {
    pub fn new(endpoint: Endpoint) -> Self {
        Self { endpoint: Arc::new(endpoint), reports: None }
    }

    /// The same node, asked with the patience that Octez's own client has for a gateway without a node behind it: after a
    /// 502, again, and each time it is told in an event.
    #[must_use]
    pub fn reporting_to(&self, sink: &Sink) -> Self {
        Self { endpoint: Arc::clone(&self.endpoint), reports: Some(sink.clone()) }
    }

    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The answer to a GET, if the node says 200.
    pub async fn get(&self, path: &str) -> Result<Value, RpcError> {
        self.call(Method::GET, path, None).await
    }

    /// The answer to a POST, if the node says 200.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, RpcError> {
        self.call(Method::POST, path, Some(body)).await
    }

    /// The answer to any request, if the node says 2xx. An empty answer is null.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, RpcError> {
        let asked = self.asked(method, path);
        let response = self.send(&asked, path, body).await?;
        let (status, bytes) = read(&asked, response).await?;
        if !status.is_success() {
            return Err(refused(asked, status, &bytes));
        }
        if bytes.trim_ascii().is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&bytes).map_err(|source| RpcError::NotJson { asked, source })
    }

    /// The string that a GET answers.
    pub async fn get_string(&self, path: &str, wanted: &'static str) -> Result<String, RpcError> {
        match self.get(path).await? {
            Value::String(text) => Ok(text),
            _ => Err(self.unexpected(path, wanted)),
        }
    }

    /// A stream of JSON values, one to a line, from an RPC that goes on until the node closes it.
    pub async fn lines(&self, path: &str) -> Result<Lines, RpcError> {
        let asked = self.asked(Method::GET, path);
        let response = self.send(&asked, path, None).await?;
        if response.status().is_success() {
            return Ok(Lines::new(asked, response.into_body()));
        }
        let (status, bytes) = read(&asked, response).await?;
        Err(refused(asked, status, &bytes))
    }

    pub fn unexpected(&self, path: &str, wanted: &'static str) -> RpcError {
        RpcError::Unexpected { uri: self.uri(path), wanted }
    }

    fn uri(&self, path: &str) -> String {
        format!("{}{path}", self.endpoint)
    }

    fn asked(&self, method: Method, path: &str) -> Asked {
        Asked { method, uri: self.uri(path) }
    }

    async fn send(
        &self,
        asked: &Asked,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Response<Incoming>, RpcError> {
        let (mut attempt, mut pause) = (1, Duration::ZERO);
        loop {
            let response = self.send_once(asked, path, body).await?;
            let reports = match &self.reports {
                Some(reports) if response.status() == StatusCode::BAD_GATEWAY => reports,
                Some(_) | None => return Ok(response),
            };
            let (status, bytes) = read(asked, response).await?;
            let text = String::from_utf8_lossy(&bytes);
            let told = json!({"attempt": attempt, "delay": pause.as_secs_f64(), "text": text});
            reports.emit_bare(Level::Error, "rpc_http_attempt", &told).await;
            if attempt == ATTEMPTS {
                return Err(refused(asked.clone(), status, &bytes));
            }
            tokio::time::sleep(pause).await;
            pause += PAUSE;
            attempt += 1;
        }
    }

    async fn send_once(
        &self,
        asked: &Asked,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Response<Incoming>, RpcError> {
        let again = || asked.clone();
        let authority = self.endpoint.authority();
        let stream = TcpStream::connect(&authority).await.map_err(|source| RpcError::Connect {
            asked: again(),
            endpoint: self.endpoint.to_string(),
            reason: reason(&source),
            source,
        })?;
        let mut request = Request::builder()
            .method(asked.method.clone())
            .uri(format!("{}{path}", self.endpoint.prefix))
            .header(header::HOST, &authority)
            .header(header::ACCEPT, "application/json")
            .header(header::CONNECTION, "close");
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = request
            .body(Full::new(Bytes::from(body)))
            .map_err(|source| RpcError::Request { asked: again(), source })?;
        let lost = |source| RpcError::Lost { asked: again(), source };
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(lost)?;
        // It ends with the body; what goes wrong in it is told to the reader of the body.
        tokio::spawn(connection);
        sender.send_request(request).await.map_err(lost)
    }
}

async fn read(
    asked: &Asked,
    response: Response<Incoming>,
) -> Result<(StatusCode, Bytes), RpcError> {
    let status = response.status();
    let lost = |source| RpcError::Lost { asked: asked.clone(), source };
    Ok((status, response.into_body().collect().await.map_err(lost)?.to_bytes()))
}

/// What is not JSON is still the best explanation there is.
fn refused(asked: Asked, status: StatusCode, bytes: &[u8]) -> RpcError {
    let text = || Value::String(String::from_utf8_lossy(bytes).trim().to_owned());
    let body = serde_json::from_slice(bytes).unwrap_or_else(|_| text());
    RpcError::Status { asked, status, body: Box::new(body) }
}

/// As Octez's clients word it (`Unix.error_message` and the name of the code).
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "Connection refused (ECONNREFUSED)".to_owned(),
        io::ErrorKind::ConnectionReset => "Connection reset by peer (ECONNRESET)".to_owned(),
        io::ErrorKind::TimedOut => "Connection timed out (ETIMEDOUT)".to_owned(),
        _ => error.to_string(),
    }
}
