//! One connection while it lasts: what we tell the peer, and what we do with what it tells us.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, BufWriter};
use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedReceiver;

use super::message::{self, FrameError, MAX_FRAME, Message};
use super::network::{Connection, Network};
use crate::sandbox::block::Header;
use crate::sandbox::node::chain::Block;
use crate::sandbox::node::mempool::{Class, Pending};
use crate::sandbox::node::store::BlockText;
use crate::sandbox::operation::Operation;
use crate::sandbox::wire::DecodeError;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum SessionError {
    #[error("cannot read or write")]
    Frame(#[from] FrameError),
    #[error("the peer sent something malformed")]
    Malformed(#[from] DecodeError),
    #[error("the node is shutting down")]
    ShuttingDown(#[from] crate::sandbox::node::worker::ShuttingDown),
}

pub fn head_message(head: &Block) -> Message {
    Message::Head { header: hex::encode(head.header.encode()) }
}

pub fn operations_message<'a>(pending: impl IntoIterator<Item = &'a Pending>) -> Message {
    let operations = pending.into_iter().map(|pending| pending.operation.to_hex()).collect();
    Message::Operations { operations }
}

/// Who ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The operator of this node.
    Kicked,
    Lost,
}

/// Talks to the peer until either side closes the connection or says something that is no message.
pub async fn run(
    network: &Network,
    stream: TcpStream,
    connection: &Connection,
    outbox: UnboundedReceiver<Message>,
) -> Ended {
    greet(network, connection);
    let (input, output) = stream.into_split();
    tokio::select! {
        // Whatever the reason, the connection is over; `disconnection` tells it.
        _ = receive(network, connection, BufReader::new(input)) => Ended::Lost,
        _ = send(BufWriter::new(output), outbox) => Ended::Lost,
        () = connection.closing() => Ended::Kicked,
    }
}

/// The head first, so that the peer can place the operations that follow.
fn greet(network: &Network, connection: &Connection) {
    network.shell().with(|state| {
        connection.send(head_message(state.chain.head()));
        let mut pending = state.mempool.iter().filter(|op| op.class() != Class::Refused).peekable();
        if pending.peek().is_some() {
            connection.send(operations_message(pending));
        }
    });
}

async fn send(
    mut output: impl AsyncWrite + Unpin,
    mut outbox: UnboundedReceiver<Message>,
) -> Result<(), SessionError> {
    while let Some(message) = outbox.recv().await {
        message::write(&mut output, &message).await?;
        if outbox.is_empty() {
            output.flush().await.map_err(FrameError::Io)?;
        }
    }
    Ok(())
}

async fn receive(
    network: &Network,
    connection: &Connection,
    mut input: impl AsyncRead + Unpin,
) -> Result<(), SessionError> {
    loop {
        match message::read(&mut input, MAX_FRAME).await? {
            Message::Head { header } => ask_for(network, connection, &Header::from_hex(&header)?),
            Message::GetBranch { target, locator } => {
                let branch: Vec<Arc<Block>> =
                    network.shell().with(|state| state.chain.branch_above(&locator, &target));
                for block in branch {
                    connection.send(Message::Block(BlockText::of(&block)));
                }
            }
            Message::Block(text) => network.worker().receive_block(text.parse()?).await?,
            Message::Operations { operations } => {
                let operations: Result<Vec<Operation>, DecodeError> =
                    operations.iter().map(|text| Operation::from_hex(text)).collect();
                network.worker().receive_operations(operations?).await?;
            }
        }
    }
}

/// Asks for the peer's branch if its head is fitter than ours; a branch that has lost already is of no interest.
fn ask_for(network: &Network, connection: &Connection, head: &Header) {
    let target = head.hash();
    let locator = network.shell().with(|state| {
        let chain = &state.chain;
        let wanted = head.fitness > chain.head().header.fitness && chain.get(&target).is_none();
        wanted.then(|| chain.locator())
    });
    if let Some(locator) = locator {
        connection.send(Message::GetBranch { target, locator });
    }
}
