//! What `octez-client`, the injection and the peer RPCs do in tests: activate, bake, vote, inject, connect.

mod injection;
mod parameters;
mod peers;

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use regex::Regex;

pub use self::injection::Vote;
use super::core::SharedCore;
use super::node::RpcError;
use super::{ExecOutput, InitError, Node, WaitError};
use crate::daemon::{CommandLine, DEFAULT_TIMEOUT, DaemonName, ExitStatus};
use crate::host::exec::ExecError;
use crate::host::http::Method;
use crate::octez::{ActivateOptions, BakeOptions, real};

/// The client of one node; cheap to clone. It has a base directory of its own.
#[derive(Clone, Debug)]
pub struct Client {
    core: SharedCore,
    node: Node,
}

/// A client command that did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error(transparent)]
    Init(#[from] InitError),
    #[error(transparent)]
    Programs(#[from] super::ProgramsError),
    #[error("the client could not be run")]
    Exec(#[source] Box<ExecError>),
    #[error("`{command}` ended with {status}: {stderr}")]
    Failed { command: String, status: ExitStatus, stderr: String },
    #[error("`{command}` said nothing of a block: {stdout:?}")]
    NoBlock { command: String, stdout: String },
    #[error("{failed}: {hint}")]
    Parameters { failed: String, hint: String },
    #[error("the node refused: {text}")]
    Refused { text: String },
    #[error(transparent)]
    Rpc(#[from] RpcError),
    #[error("the node did not take the block {hash} as its head: it has {head}")]
    NotHead { hash: String, head: String },
    #[error("{node} could not be asked about its peers")]
    Asking { node: DaemonName, source: RpcError },
    #[error("{a} and {b} are not {wanted} after {after:?}")]
    Peers { a: String, b: String, wanted: &'static str, after: Duration },
    #[error("the node did not say who it is")]
    NotAnnounced(#[source] Box<WaitError>),
}

/// A block that was baked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Baked {
    pub hash: String,
    pub level: i64,
}

/// Between two looks at the head or the peers of a node.
const LOOK_EVERY: Duration = Duration::from_millis(20);

impl Client {
    pub(super) fn new(core: SharedCore, node: &Node) -> Self {
        Self { core, node: node.clone() }
    }

    /// The `--base-dir` of its commands; it knows the keys of the sandbox.
    pub fn base_dir(&self) -> Result<PathBuf, InitError> {
        self.core.client_directory(self.node.name().as_str())
    }

    /// Activates the newest protocol with the sandbox's parameters, a year ago; the node is at level 1 then.
    pub async fn activate(&self) -> Result<String, ClientError> {
        self.activate_with(&ActivateOptions::default(), DEFAULT_TIMEOUT).await
    }

    /// Activates a protocol; gives the hash of the block.
    pub async fn activate_with(
        &self,
        options: &ActivateOptions,
        within: Duration,
    ) -> Result<String, ClientError> {
        let deadline = Instant::now() + within;
        let path = self.base_dir()?.join("parameters.json");
        let known = parameters::find(&self.core.programs, options.protocol())?;
        let is_complete = known.is_some();
        std::fs::write(&path, options.parameters_over(known).to_string())
            .map_err(|source| InitError::File { path: path.clone(), source })?;
        let args = options.args(&path, SystemTime::now());
        let hash = self.inject_block(args, deadline).await.map_err(|error| {
            parameters::explained(error, options, is_complete, &self.core.programs)
        })?;
        self.wait_until_applied(&hash, true, deadline).await?;
        Ok(hash)
    }

    /// Bakes one block with this key on the head; done when the node has it as its head.
    pub async fn bake_for(&self, key: &str) -> Result<Baked, ClientError> {
        self.bake_with(&BakeOptions::for_key(key), DEFAULT_TIMEOUT).await
    }

    /// Bakes one block. It must become the head, unless a parent was named; it is applied in any case.
    pub async fn bake_with(
        &self,
        options: &BakeOptions,
        within: Duration,
    ) -> Result<Baked, ClientError> {
        let deadline = Instant::now() + within;
        let hash = self.inject_block(options.args(), deadline).await?;
        let must_be_head = options.parent.is_none();
        let level = self.wait_until_applied(&hash, must_be_head, deadline).await?;
        Ok(Baked { hash, level })
    }

    /// Runs an `octez-client` command and gives its output, whatever its exit code.
    pub async fn run(
        &self,
        args: Vec<String>,
        within: Duration,
    ) -> Result<ExecOutput, ClientError> {
        self.core.programs.find("octez-client")?;
        let globals = ["--endpoint", &self.node.endpoint(), "--base-dir"].map(ToOwned::to_owned);
        let base_dir = self.base_dir()?.to_string_lossy().into_owned();
        let args = globals.into_iter().chain([base_dir]).chain(args).map(Into::into).collect();
        let env = real::CLIENT_ENVIRONMENT.map(|(name, value)| (name.into(), value.into())).into();
        let command = CommandLine { program: "octez-client".into(), args, env, cwd: None };
        let output = self.core.exec(command, Vec::new(), within).await;
        output.map_err(|error| ClientError::Exec(Box::new(error)))
    }

    async fn inject_block(
        &self,
        args: Vec<String>,
        deadline: Instant,
    ) -> Result<String, ClientError> {
        let command = format!("octez-client {}", args.join(" "));
        let before = self.head(deadline).await?;
        let output = self.run(args, left(deadline)).await?;
        let (stdout, stderr) = (output.stdout.text(), output.stderr.text());
        if output.status != ExitStatus::Code(0) {
            let stderr = stderr.trim().to_owned();
            return Err(ClientError::Failed { command, status: output.status, stderr });
        }
        let printed = printed_block(&stdout).or_else(|| printed_block(&stderr)).unwrap_or_default();
        if printed.len() == FULL_HASH {
            return Ok(printed);
        }
        // Only the beginning was printed, or nothing that we understand: then it is what the head becomes.
        loop {
            let head = self.head(deadline).await?;
            if head != before && head.starts_with(&printed) {
                return Ok(head);
            }
            if Instant::now() >= deadline {
                return Err(ClientError::NoBlock { command, stdout });
            }
            self.pause().await;
        }
    }

    /// A block is announced as head before it can be asked for by other requests, so the requests decide.
    async fn wait_until_applied(
        &self,
        hash: &str,
        must_be_head: bool,
        deadline: Instant,
    ) -> Result<i64, ClientError> {
        loop {
            let head = self.head(deadline).await?;
            let path = format!("/chains/main/blocks/{hash}/header/shell");
            let url = format!("{}{path}", self.node.endpoint());
            let header = self.core.http(Method::Get, url, None, left(deadline)).await?;
            if let Some(level) = header.body["level"].as_i64()
                && (head == hash || !must_be_head)
            {
                return Ok(level);
            }
            if Instant::now() >= deadline {
                return Err(ClientError::NotHead { hash: hash.to_owned(), head });
            }
            self.pause().await;
        }
    }

    async fn head(&self, deadline: Instant) -> Result<String, RpcError> {
        let head = self.node.get_within("/chains/main/blocks/head/hash", left(deadline)).await?;
        Ok(head.as_str().unwrap_or_default().to_owned())
    }

    async fn pause(&self) {
        self.core.run(tokio::time::sleep(LOOK_EVERY)).await;
    }
}

/// Characters of a whole block hash.
const FULL_HASH: usize = 51;

/// What a client says of the block it injected, `Block B… injected` of a bake, `Injected B…` of an activation: the hash
/// or its beginning.
fn printed_block(said: &str) -> Option<String> {
    let block = Regex::new(r"\b(?:[Bb]lock|Injected) (B[1-9A-HJ-NP-Za-km-z]{6,50})")
        .expect("a valid regex");
    let text = real::unwrapped(said);
    Some(block.captures(&text)?.get(1)?.as_str().to_owned())
}

/// What remains of the time of a step; a request is made in any case.
fn left(deadline: Instant) -> Duration {
    const LEAST: Duration = Duration::from_millis(100);
    let left = deadline.saturating_duration_since(Instant::now()).as_millis();
    Duration::from_millis(u64::try_from(left).unwrap_or(u64::MAX)).max(LEAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_is_read_from_what_any_client_says() {
        let hash = "BLXufEq7AzmTEUw3aS7tkhSGHZ2cPU1VKkyywBbBUA2xUFkpPjn";
        let wrapped = format!(
            "Nov 23 17:34:55.195 NOTICE │ block\n\
             Nov 23 17:34:55.195 NOTICE │   {hash} at level 2, round 0 injected\n"
        );
        for (said, wanted) in [
            (format!("Block {hash} injected\n"), Some(hash)),
            (wrapped, Some(hash)),
            ("Injected BLXufEq7AzmT\n".to_owned(), Some("BLXufEq7AzmT")),
            ("Waiting for the node\n".to_owned(), None),
        ] {
            assert_eq!(printed_block(&said).as_deref(), wanted, "{said}");
        }
    }
}
