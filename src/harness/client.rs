//! What `octez-client`, the injection and the peer RPCs do in tests: activate, bake, vote, inject, connect.

mod injection;
mod peers;

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use regex::Regex;

pub use self::injection::Vote;
use super::core::SharedCore;
use super::node::RpcError;
use super::{ExecOutput, InitError, Node, WaitError};
use crate::daemon::{CommandLine, DEFAULT_TIMEOUT, ExitStatus};
use crate::host::exec::ExecError;
use crate::host::http::Method;
use crate::octez::{ActivateOptions, BakeOptions};

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
    #[error("the node refused: {text}")]
    Refused { text: String },
    #[error(transparent)]
    Rpc(#[from] RpcError),
    #[error("the node did not take the block {hash} as its head: it has {head}")]
    NotHead { hash: String, head: String },
    #[error("{a} and {b} are not connected after {after:?}")]
    NotConnected { a: String, b: String, after: Duration },
    #[error("the head was not announced")]
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

    /// The `--base-dir` of its commands.
    pub fn base_dir(&self) -> Result<PathBuf, InitError> {
        self.core.directory(&format!("{}-client", self.node.name()))
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
        let base_dir = self.base_dir()?;
        let parameters = base_dir.join("parameters.json");
        std::fs::write(&parameters, options.parameters_text())
            .map_err(|source| InitError::Directory { path: parameters.clone(), source })?;
        let deadline = Instant::now() + within;
        let hash = self.inject_block(options.args(&parameters, SystemTime::now()), within).await?;
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
        let hash = self.inject_block(options.args(), within).await?;
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
        self.core.programs.available()?;
        let globals = ["--endpoint", &self.node.endpoint(), "--base-dir"].map(ToOwned::to_owned);
        let base_dir = self.base_dir()?.to_string_lossy().into_owned();
        let args = globals.into_iter().chain([base_dir]).chain(args).map(Into::into).collect();
        let command =
            CommandLine { program: "octez-client".into(), args, ..CommandLine::default() };
        let output = self.core.exec(command, Vec::new(), within).await;
        output.map_err(|error| ClientError::Exec(Box::new(error)))
    }

    async fn inject_block(
        &self,
        args: Vec<String>,
        within: Duration,
    ) -> Result<String, ClientError> {
        let command = format!("octez-client {}", args.join(" "));
        let output = self.run(args, within).await?;
        let stdout = output.stdout.text();
        if output.status != ExitStatus::Code(0) {
            let stderr = output.stderr.text().trim().to_owned();
            return Err(ClientError::Failed { command, status: output.status, stderr });
        }
        // A bake says `Block B… injected`, an activation `Injected B…` with the beginning of the hash.
        let block = Regex::new(r"\b(?:[Bb]lock|Injected) (B[1-9A-HJ-NP-Za-km-z]{6,50})")
            .expect("a valid regex");
        match block.captures(&stdout).and_then(|found| found.get(1)) {
            Some(hash) => self.full_hash(hash.as_str()).await,
            None => Err(ClientError::NoBlock { command, stdout }),
        }
    }

    /// The client may print the beginning of a hash only.
    async fn full_hash(&self, printed: &str) -> Result<String, ClientError> {
        if printed.len() == 51 {
            return Ok(printed.to_owned());
        }
        let head = self.node.get("/chains/main/blocks/head/hash").await?;
        let head = head.as_str().unwrap_or_default();
        if head.starts_with(printed) {
            return Ok(head.to_owned());
        }
        Err(ClientError::NotHead { hash: printed.to_owned(), head: head.to_owned() })
    }

    /// A block is announced as head before it can be asked for by other requests, so the requests decide.
    async fn wait_until_applied(
        &self,
        hash: &str,
        must_be_head: bool,
        deadline: Instant,
    ) -> Result<i64, ClientError> {
        loop {
            let head = self.node.get("/chains/main/blocks/head/hash").await?;
            let path = format!("/chains/main/blocks/{hash}/header/shell");
            let header = self.node.rpc(Method::Get, &path, None).await?;
            let is_head = head.as_str() == Some(hash);
            if let Some(level) = header.body["level"].as_i64()
                && (is_head || !must_be_head)
            {
                return Ok(level);
            }
            if Instant::now() >= deadline {
                let head = head.as_str().unwrap_or_default().to_owned();
                return Err(ClientError::NotHead { hash: hash.to_owned(), head });
            }
            self.pause().await;
        }
    }

    async fn pause(&self) {
        self.core.run(tokio::time::sleep(LOOK_EVERY)).await;
    }
}
