//! One request: connect, send, and read the answer whole or line by line.

use std::io;
use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use super::{Endpoint, Lines, RpcClient, RpcError};

impl RpcClient {
    pub fn new(endpoint: Endpoint) -> Self {
        Self { endpoint: Arc::new(endpoint) }
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
        let response = self.send(method.clone(), path, body).await?;
        let (status, bytes) = self.read(&method, path, response).await?;
        let uri = self.uri(path);
        if bytes.trim_ascii().is_empty() && status.is_success() {
            return Ok(Value::Null);
        }
        let json = serde_json::from_slice(&bytes);
        if !status.is_success() {
            // What is not JSON is still the best explanation there is.
            let text = || Value::String(String::from_utf8_lossy(&bytes).into_owned());
            return Err(RpcError::Status {
                method,
                uri,
                status,
                body: json.unwrap_or_else(|_| text()),
            });
        }
        json.map_err(|source| RpcError::NotJson { method, uri, source })
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
        let response = self.send(Method::GET, path, None).await?;
        if response.status().is_success() {
            return Ok(Lines::new(self.uri(path), response.into_body()));
        }
        let (status, bytes) = self.read(&Method::GET, path, response).await?;
        let body = String::from_utf8_lossy(&bytes).into_owned().into();
        Err(RpcError::Status { method: Method::GET, uri: self.uri(path), status, body })
    }

    pub fn unexpected(&self, path: &str, wanted: &'static str) -> RpcError {
        RpcError::Unexpected { uri: self.uri(path), wanted }
    }

    pub fn uri(&self, path: &str) -> String {
        format!("{}{path}", self.endpoint)
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Response<Incoming>, RpcError> {
        let authority = self.endpoint.authority();
        let uri = self.uri(path);
        let stream = TcpStream::connect(&authority).await.map_err(|source| RpcError::Connect {
            method: method.clone(),
            uri: uri.clone(),
            endpoint: self.endpoint.to_string(),
            reason: reason(&source),
            source,
        })?;
        let mut request = Request::builder()
            .method(method.clone())
            .uri(format!("{}{path}", self.endpoint.prefix))
            .header(header::HOST, &authority)
            .header(header::ACCEPT, "application/json")
            .header(header::CONNECTION, "close");
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = request.body(Full::new(Bytes::from(body))).map_err(|source| {
            RpcError::Request { method: method.clone(), uri: uri.clone(), source }
        })?;
        let lost = |source| RpcError::Lost { method, uri, source };
        let (mut sender, connection) = match http1::handshake(TokioIo::new(stream)).await {
            Ok(open) => open,
            Err(source) => return Err(lost(source)),
        };
        // It ends with the body; what goes wrong in it is told to the reader of the body.
        tokio::spawn(connection);
        sender.send_request(request).await.map_err(lost)
    }

    async fn read(
        &self,
        method: &Method,
        path: &str,
        response: Response<Incoming>,
    ) -> Result<(StatusCode, Bytes), RpcError> {
        let status = response.status();
        let lost = |source| RpcError::Lost { method: method.clone(), uri: self.uri(path), source };
        Ok((status, response.into_body().collect().await.map_err(lost)?.to_bytes()))
    }
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
