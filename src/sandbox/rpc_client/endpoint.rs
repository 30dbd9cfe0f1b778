//! `http://HOST:PORT[/PREFIX]`, where a node listens.

use std::fmt;

/// Where a node's RPC server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub host: String,
    pub port: u16,
    /// Stands before every path; empty, or begins with a slash and does not end with one.
    pub prefix: String,
}

/// Text that is no endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid endpoint {text:?}: {reason}")]
pub struct InvalidEndpoint {
    pub text: String,
    pub reason: &'static str,
}

impl Endpoint {
    /// Octez accepts http and https without query or fragment; the sandbox speaks no TLS.
    pub fn parse(text: &str) -> Result<Self, InvalidEndpoint> {
        let invalid = |reason| InvalidEndpoint { text: text.to_owned(), reason };
        if text.contains(['?', '#']) {
            return Err(invalid("it must have neither query nor fragment"));
        }
        let rest = match text.split_once("://") {
            Some(("http", rest)) => rest,
            Some(("https", _)) => return Err(invalid("the sandbox has no TLS")),
            _ => return Err(invalid("it must begin with http://")),
        };
        let (authority, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().map_err(|_| invalid("its port is no number below 65536"))?)
            }
            _ => (authority, 80),
        };
        if host.is_empty() || host.contains(char::is_whitespace) {
            return Err(invalid("it has no host"));
        }
        let prefix = prefix.trim_end_matches('/');
        let prefix = if prefix.is_empty() { String::new() } else { format!("/{prefix}") };
        Ok(Self { host: host.to_owned(), port, prefix })
    }

    /// `HOST:PORT`, for the Host header and for connecting.
    pub fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}:{}{}", self.host, self.port, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::Endpoint;

    #[test]
    fn endpoints_are_read_with_port_and_prefix() {
        let cases = [
            ("http://127.0.0.1:18731", "http://127.0.0.1:18731"),
            ("http://localhost", "http://localhost:80"),
            ("http://[::1]:8732/", "http://[::1]:8732"),
            ("http://[::1]", "http://[::1]:80"),
            ("http://host:1/a/b/", "http://host:1/a/b"),
        ];
        for (text, wanted) in cases {
            assert_eq!(Endpoint::parse(text).map(|it| it.to_string()).as_deref(), Ok(wanted));
        }
    }

    #[test]
    fn what_is_no_endpoint_is_refused() {
        for text in [
            "",
            "localhost:8732",
            "ftp://host",
            "https://host",
            "http://",
            "http://:80",
            "http://host:99999",
            "http://host?x",
            "http://host/#x",
        ] {
            assert!(Endpoint::parse(text).is_err(), "{text}");
        }
    }
}
