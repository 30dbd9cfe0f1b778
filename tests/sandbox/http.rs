//! HTTP by hand, so that tests can also say what no client would.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};

use serde_json::Value;

use crate::support::LIMIT;

pub fn dial(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

/// The status and body of a request; `body` is sent as it is.
pub fn request(port: u16, method: &str, path: &str, body: &str) -> (u16, String) {
    let mut stream = dial(port);
    let length = body.len();
    let head = "Host: node\r\nConnection: close\r\nContent-Type: application/json";
    write!(stream, "{method} {path} HTTP/1.1\r\n{head}\r\nContent-Length: {length}\r\n\r\n{body}")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap_or_else(|| panic!("no status: {answer:?}"));
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    (status.parse().unwrap(), body.to_owned())
}

/// The body of a request that must succeed.
pub fn json(port: u16, method: &str, path: &str, body: &str) -> Value {
    let (status, text) = request(port, method, path, body);
    assert_eq!(status, 200, "{method} {path}: {text}");
    assert!(text.ends_with('\n'), "{path}: a body ends its line");
    serde_json::from_str(&text).unwrap()
}

pub fn get(port: u16, path: &str) -> Value {
    json(port, "GET", path, "")
}

/// An answer that goes on; one item to a chunk.
pub struct Stream {
    reader: BufReader<TcpStream>,
}

impl Stream {
    pub fn open(port: u16, path: &str) -> Self {
        let mut stream = dial(port);
        write!(stream, "GET {path} HTTP/1.1\r\nHost: node\r\n\r\n").unwrap();
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 200"), "{path}: {line}");
        while line != "\r\n" {
            line.clear();
            assert_ne!(reader.read_line(&mut line).unwrap(), 0, "no end of headers");
        }
        Self { reader }
    }

    /// The next item; `None` at the end of the stream. An item is a chunk, and ends its line.
    pub fn next(&mut self) -> Option<Value> {
        self.try_next().unwrap()
    }

    /// As [`Self::next`], where the node may also break off.
    pub fn try_next(&mut self) -> std::io::Result<Option<Value>> {
        let mut size = String::new();
        self.reader.read_line(&mut size)?;
        let size = usize::from_str_radix(size.trim(), 16).map_err(std::io::Error::other)?;
        let mut chunk = vec![0; size + 2];
        self.reader.read_exact(&mut chunk)?;
        chunk.truncate(size);
        if size == 0 {
            return Ok(None);
        }
        assert_eq!(chunk.last(), Some(&b'\n'));
        Ok(Some(serde_json::from_slice(&chunk)?))
    }
}

/// Sends these bytes and nothing more; what comes back until the other side hangs up.
pub fn talk(port: u16, bytes: &[u8]) -> Vec<u8> {
    let mut stream = dial(port);
    // The other side may hang up before it has read everything.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}
