//! From the command line to the exit code.

use std::error::Error;
use std::process::ExitCode;

use serde_json::Value;

use super::activate::Activate;
use super::bake::bake;
use super::command::{self, Command};
use super::vote::{Cast, vote};
use super::wallet::Wallet;
use super::{ClientError, admin, consensus_key, repropose, rpc};
use crate::sandbox::console;
use crate::sandbox::globals::{self, Globals, Request};
use crate::sandbox::keys::consensus::ConsensusKey;
use crate::sandbox::keys::{DELEGATES, Identity};
use crate::sandbox::protocol::short_hash;
use crate::sandbox::rpc_client::{RpcClient, RpcError};

/// Is `octez-client` until the command is done.
pub fn main(args: &[String]) -> ExitCode {
    start(args, command::HELP, async |globals, words| run(globals, words).await)
}

/// Is `octez-admin-client` until the command is done.
pub fn admin_main(args: &[String]) -> ExitCode {
    start(args, admin::HELP, async |globals: Globals, words: &[String]| {
        admin::run(&RpcClient::new(globals.endpoint), words).await
    })
}

fn start(
    args: &[String],
    help: &str,
    run: impl AsyncFnOnce(Globals, &[String]) -> Result<(), ClientError>,
) -> ExitCode {
    let result = match globals::parse(args) {
        Ok(Request::Version) => {
            globals::print_version();
            return ExitCode::SUCCESS;
        }
        Ok(Request::Help) => {
            console::out(help);
            return ExitCode::SUCCESS;
        }
        Ok(Request::Command(globals, words)) => {
            match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime.block_on(run(globals, words)),
                Err(error) => {
                    console::failure("Fatal error", &error.to_string());
                    return ExitCode::FAILURE;
                }
            }
        }
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            console::failure("Error", &told(&error));
            ExitCode::FAILURE
        }
    }
}

async fn run(globals: Globals, words: &[String]) -> Result<(), ClientError> {
    let client = RpcClient::new(globals.endpoint);
    let wallet = Wallet::new(&globals.base_dir);
    match command::parse(words)? {
        Command::Activate { protocol, fitness, key, parameters, timestamp } => {
            let activate = Activate {
                protocol: &protocol,
                fitness,
                activator: wallet.identity(&key)?,
                parameters: &parameters,
                timestamp,
            };
            let hash = activate.run(&client).await?;
            console::out(&format!("Injected {}", short_hash(&hash)));
        }
        Command::Bake(options) => {
            // Any delegate may bake at any round here; Octez would take the one whose turn it is.
            let bakers = identities(&wallet, &options.keys)?;
            let hash = bake(&client, &options, &bakers).await?;
            console::out(&format!("Block {hash} injected"));
        }
        Command::Repropose(options) => {
            let keys = identities(&wallet, &options.keys)?;
            let hash = repropose::repropose(&client, &options, &keys).await?;
            console::out(&format!("Block {hash} injected"));
        }
        Command::Vote(options) => {
            for voter in identities(&wallet, &options.keys)? {
                let Cast { hash, vote, branch } = vote(&client, &options, voter).await?;
                let (kind, pkh) = (options.kind.word(), voter.public_key_hash);
                console::out(&format!(
                    "Injected {kind} {hash} for {pkh}: level {}, round {}, slot {}, payload {}, branch {branch}",
                    vote.level, vote.round, vote.slot, vote.payload_hash
                ));
            }
        }
        Command::SetConsensusKey { delegate, key: name } => {
            let identity = wallet.identity(&delegate)?;
            let found = ConsensusKey::find(&name).filter(|(_, owner)| *owner == identity);
            let (key, _) = found.ok_or(ClientError::NoConsensusKey { name, delegate })?;
            let hash = consensus_key::set(&client, identity, key).await?;
            console::out(&format!("Operation hash is '{hash}'"));
        }
        Command::Rpc { method, path, body } => {
            console::out(&rpc::rpc(&client, method, &path, body.as_deref()).await?);
        }
        Command::ImportSecretKey { name, uri, force } => {
            let pkh = wallet.import(&name, &uri, force)?;
            console::out(&format!("Tezos address added: {pkh}"));
        }
        Command::GenKeys { name, force } => {
            wallet.generate(&name, force)?;
        }
        Command::ListKnownAddresses => {
            for (name, pkh) in wallet.addresses()? {
                console::out(&format!("{name}: {pkh} (unencrypted sk known)"));
            }
        }
    }
    Ok(())
}

/// The identities of these names; without names, the first delegate. Never empty.
fn identities(wallet: &Wallet, names: &[String]) -> Result<Vec<&'static Identity>, ClientError> {
    if names.is_empty() {
        return Ok(vec![&DELEGATES[0]]);
    }
    names.iter().map(|name| wallet.identity(name)).collect()
}

/// The error with its causes; where the node sent a trace, its messages.
fn told(error: &ClientError) -> String {
    if let ClientError::Rpc(RpcError::Status { body, .. }) = error
        && let Value::Array(trace) = &**body
    {
        let messages = trace.iter().map(|item| {
            let text = item["msg"].as_str().or_else(|| item["id"].as_str());
            text.map_or_else(|| item.to_string(), str::to_owned)
        });
        return messages.collect::<Vec<_>>().join("\n");
    }
    let causes = std::iter::successors(error.source(), |cause| (**cause).source());
    // The reason for a refused connection is in the text already, in Octez's words.
    if matches!(error, ClientError::Rpc(RpcError::Connect { .. })) {
        return error.to_string();
    }
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
