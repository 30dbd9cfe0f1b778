//! `octez-admin-client`: which peers a node trusts and is connected to.

use hyper::Method;
use serde_json::{Value, json};

use super::ClientError;
use crate::sandbox::console;
use crate::sandbox::globals::UsageError;
use crate::sandbox::rpc_client::RpcClient;

pub const HELP: &str = "\
Usage:
  octez-admin-client [global options] COMMAND

Commands:
  connect address IP:PORT
  trust address IP:PORT
  untrust address IP:PORT
  kick peer ID
  p2p stat
";

/// Obeys one command.
pub async fn run(client: &RpcClient, words: &[String]) -> Result<(), ClientError> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["connect", "address", point] => {
            let path = format!("/network/points/{}?timeout=10", checked(point)?);
            client.call(Method::PUT, &path, Some(&json!({}))).await?;
            console::out(&format!("Connection to {point} established."));
        }
        ["trust", "address", point] => {
            permit(client, point, "trust").await?;
            console::out(&format!("Address {point} is now trusted."));
        }
        ["untrust", "address", point] => {
            permit(client, point, "open").await?;
            console::out(&format!("Address {point} is now untrusted."));
        }
        ["kick", "peer", peer] => {
            let path = format!("/network/connections/{peer}?wait");
            client.call(Method::DELETE, &path, None).await?;
            console::out(&format!("Peer {peer} has been disconnected."));
        }
        ["p2p", "stat"] => console::out(&stat(client).await?),
        _ => {
            let text = format!("Unrecognized command: {}", words.join(" "));
            return Err(UsageError(text).into());
        }
    }
    Ok(())
}

async fn permit(client: &RpcClient, point: &str, acl: &str) -> Result<(), ClientError> {
    let path = format!("/network/points/{}", checked(point)?);
    client.call(Method::PATCH, &path, Some(&json!({"acl": acl}))).await?;
    Ok(())
}

fn checked(point: &str) -> Result<&str, UsageError> {
    let port = point.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    if port.is_none() || point.contains(['/', '?', '#', ' ']) {
        return Err(UsageError(format!("{point} is not an address with a port")));
    }
    Ok(point)
}

async fn stat(client: &RpcClient) -> Result<String, ClientError> {
    let connections = client.get("/network/connections").await?;
    let points = client.get("/network/points").await?;
    let mut lines = vec!["CONNECTIONS".to_owned()];
    lines
        .extend(items(&connections).map(|connection| format!("  {}", connection_line(connection))));
    lines.push("KNOWN POINTS".to_owned());
    lines.extend(items(&points).map(|point| {
        let trusted = if point[1]["trusted"] == true { "★" } else { " " };
        format!("  {trusted} {}", point[0].as_str().unwrap_or_default())
    }));
    Ok(lines.join("\n"))
}

fn connection_line(connection: &Value) -> String {
    let direction = if connection["incoming"] == true { "↘" } else { "↗" };
    let address = &connection["id_point"]["addr"];
    let port = &connection["id_point"]["port"];
    let peer = connection["peer_id"].as_str().unwrap_or_default();
    format!("{direction} {peer} {}:{port}", address.as_str().unwrap_or_default())
}

fn items(json: &Value) -> impl Iterator<Item = &Value> {
    json.as_array().into_iter().flatten()
}
