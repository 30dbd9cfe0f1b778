//! A gateway before a node: it passes on what is asked and answered, and can answer itself or change what a stream says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use serde_json::Value;

use crate::http::{Stream, dial};

/// What a gateway does beside passing on.
pub trait Meddler: Send + Sync + 'static {
    /// An answer of its own to this request: a status with its reason, and a body.
    fn answer(&self, _path: &str) -> Option<(&'static str, String)> {
        None
    }

    /// What the client is told instead of this item of a stream.
    fn items(&self, _path: &str, item: Value) -> Vec<Value> {
        vec![item]
    }
}

/// A running gateway. Dropped, it takes no more requests; those on their way end with their client or their node.
pub struct Relay {
    pub port: u16,
    is_closed: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    pub fn start(node: u16, meddler: impl Meddler) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let is_closed = Arc::new(AtomicBool::new(false));
        let (meddler, closed) = (Arc::new(meddler), Arc::clone(&is_closed));
        let thread = std::thread::spawn(move || {
            for client in listener.incoming() {
                if closed.load(Ordering::SeqCst) {
                    return;
                }
                let (meddler, client) = (Arc::clone(&meddler), client.unwrap());
                // A client or node that goes away ends its request, and nothing else.
                std::thread::spawn(move || pass(node, &*meddler, client));
            }
        });
        Self { port, is_closed, thread: Some(thread) }
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.is_closed.store(true, Ordering::SeqCst);
        // It waits for a client; this one is the last.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn pass(node: u16, meddler: &impl Meddler, mut client: TcpStream) -> std::io::Result<()> {
    let request = read_request(&mut client)?;
    let head = String::from_utf8_lossy(&request).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default();
    if let Some((status, body)) = meddler.answer(path) {
        let head = "Content-Type: application/json\r\nConnection: close";
        let length = body.len();
        return write!(
            client,
            "HTTP/1.1 {status}\r\n{head}\r\nContent-Length: {length}\r\n\r\n{body}"
        );
    }
    if !path.contains("monitor") {
        let mut upstream = dial(node);
        upstream.write_all(&request)?;
        return std::io::copy(&mut upstream, &mut client).map(|_| ());
    }
    write!(
        client,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
    )?;
    let mut stream = Stream::open(node, path);
    while let Some(item) = stream.try_next()? {
        for item in meddler.items(path, item) {
            writeln!(client, "{item}")?;
        }
    }
    Ok(())
}

/// A request's head and body, as they came.
fn read_request(client: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut reader = BufReader::new(client);
    let mut request = Vec::new();
    let mut length = 0;
    loop {
        let begin = request.len();
        reader.read_until(b'\n', &mut request)?;
        let line = String::from_utf8_lossy(&request[begin..]).to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    reader.take(length).read_to_end(&mut request)?;
    Ok(request)
}
