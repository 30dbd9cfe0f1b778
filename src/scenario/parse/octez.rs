//! The chain, RPC and other programs.

use super::Reader;
use super::fields::Slot;
use crate::host::http::Method;
use crate::octez::VoteKind;
use crate::scenario::diagnostic::listed;
use crate::scenario::grammar::{
    ACTIVATE, ATTEST, BAKE, EXEC, INJECT, PEERS, PREATTEST, REACH, RPC,
};
use crate::scenario::model::{
    Activate, Bake, ConnectPeers, Exec, Inject, Output, Reach, Rpc, Vote,
};
use crate::scenario::source::Span;
use crate::scenario::yaml::Content;

const METHODS: [(&str, Method); 4] =
    [("get", Method::Get), ("post", Method::Post), ("put", Method::Put), ("patch", Method::Patch)];

impl Reader {
    pub(super) fn reach(&mut self, slot: Slot<'_>, key: Span) -> Option<Reach> {
        let fields = self.fields(slot, &REACH, key)?;
        let nodes = fields.get("node").and_then(|slot| self.texts(slot));
        let level = fields.get("level").and_then(|slot| self.integer(slot));
        let within = fields.get("within").and_then(|slot| self.duration(slot));
        Some(Reach { nodes: nodes?, level: level?, within })
    }

    pub(super) fn activate(&mut self, slot: Slot<'_>, key: Span) -> Option<Activate> {
        let fields = self.fields(slot, &ACTIVATE, key)?;
        let node = fields.get("node").and_then(|slot| self.text(slot));
        let protocol = fields.get("protocol").and_then(|slot| self.text(slot));
        let parameters = fields.get("parameters").and_then(|slot| self.object(slot));
        let timestamp = fields.get("timestamp").and_then(|slot| self.text(slot));
        let within = fields.get("within").and_then(|slot| self.duration(slot));
        Some(Activate { node: node?, protocol, parameters, timestamp, within })
    }

    pub(super) fn bake(&mut self, slot: Slot<'_>, key: Span) -> Option<Bake> {
        let fields = self.fields(slot, &BAKE, key)?;
        let node = fields.get("node").and_then(|slot| self.text(slot));
        let keys = fields.get("key").and_then(|slot| self.texts(slot)).unwrap_or_default();
        let times = fields.get("times").and_then(|slot| self.integer(slot));
        let parent = fields.get("parent").and_then(|slot| self.text(slot));
        let round = fields.get("round").and_then(|slot| self.integer(slot));
        let within = fields.get("within").and_then(|slot| self.duration(slot));
        let capture = fields.get("capture").and_then(|slot| self.assignments(slot));
        let capture = capture.unwrap_or_default();
        Some(Bake { node: node?, keys, times, parent, round, within, capture })
    }

    pub(super) fn vote(&mut self, slot: Slot<'_>, kind: VoteKind, key: Span) -> Option<Vote> {
        let table = match kind {
            VoteKind::Attestation => &ATTEST,
            VoteKind::Preattestation => &PREATTEST,
        };
        let fields = self.fields(slot, table, key)?;
        let node = fields.get("node").and_then(|slot| self.text(slot));
        let key = fields.get("key").and_then(|slot| self.text(slot));
        let of = fields.get("of").and_then(|slot| self.text(slot));
        let level = fields.get("level").and_then(|slot| self.integer(slot));
        let round = fields.get("round").and_then(|slot| self.integer(slot));
        let first = fields.get("slot").and_then(|slot| self.integer(slot));
        let payload = fields.get("payload").and_then(|slot| self.text(slot));
        let branch = fields.get("branch").and_then(|slot| self.text(slot));
        let error = fields.get("error").and_then(|slot| self.text(slot));
        let within = fields.get("within").and_then(|slot| self.duration(slot));
        let capture = fields.get("capture").and_then(|slot| self.assignments(slot));
        Some(Vote {
            kind,
            node: node?,
            key,
            of,
            level,
            round,
            slot: first,
            payload,
            branch,
            error,
            within,
            capture: capture.unwrap_or_default(),
        })
    }

    pub(super) fn inject(&mut self, slot: Slot<'_>, key: Span) -> Option<Inject> {
        let fields = self.fields(slot, &INJECT, key)?;
        let node = fields.get("node").and_then(|slot| self.text(slot));
        let operation = fields.get("operation").and_then(|slot| self.text(slot));
        let error = fields.get("error").and_then(|slot| self.text(slot));
        let within = fields.get("within").and_then(|slot| self.duration(slot));
        let capture = fields.get("capture").and_then(|slot| self.assignments(slot));
        let capture = capture.unwrap_or_default();
        Some(Inject { node: node?, operation: operation?, error, within, capture })
    }

    /// `[a, b, …]` or `{ nodes, within }`.
    pub(super) fn peers(&mut self, slot: Slot<'_>, key: Span) -> Option<ConnectPeers> {
        if !matches!(slot.node.content, Content::Mapping(_)) {
            return self.text_list(slot).map(|nodes| ConnectPeers { nodes, within: None });
        }
        let fields = self.fields(slot, &PEERS, key)?;
        let nodes = fields.get("nodes").and_then(|slot| self.text_list(slot));
        let within = fields.get("within").and_then(|slot| self.duration(slot));
        Some(ConnectPeers { nodes: nodes?, within })
    }

    pub(super) fn rpc(&mut self, slot: Slot<'_>, key: Span) -> Option<Rpc> {
        let fields = self.fields(slot, &RPC, key)?;
        let node = fields.get("node").and_then(|slot| self.text(slot));
        let present = fields.present(&METHODS.map(|(name, _)| name));
        if present.len() > 1 {
            self.only_one(&present);
        } else if present.is_empty() {
            let error = self
                .error(key, format!("`rpc` has none of {}", listed(METHODS.map(|(name, _)| name))))
                .help(format!("such as `{}`", RPC.example));
            self.report(error);
        }
        let paths: Vec<_> = METHODS
            .into_iter()
            .filter_map(|(name, method)| Some((method, fields.get(name)?)))
            .map(|(method, slot)| (method, self.text(slot)))
            .collect();
        let body = fields.get("body").and_then(|slot| self.data(slot));
        let status = fields.get("status").and_then(|slot| self.integer(slot));
        let condition = fields.get("where").and_then(|slot| self.condition(slot));
        let within = fields.get("within").and_then(|slot| self.duration(slot));
        let capture = fields.get("capture").and_then(|slot| self.assignments(slot));
        let capture = capture.unwrap_or_default();
        let (method, path) = paths.into_iter().next()?;
        Some(Rpc { node: node?, method, path: path?, body, status, condition, within, capture })
    }

    pub(super) fn exec(&mut self, slot: Slot<'_>, key: Span) -> Option<Exec> {
        let fields = self.fields(slot, &EXEC, key)?;
        let command = fields.get("command").and_then(|slot| self.text_list(slot));
        let stdin = fields.get("stdin").and_then(|slot| self.text(slot));
        let env = fields.get("env").and_then(|slot| self.text_map(slot)).unwrap_or_default();
        let code = fields.get("code").and_then(|slot| self.integer(slot));
        let outputs = [("text", Output::Text), ("json", Output::Json)];
        let stdout = fields.get("stdout").and_then(|slot| self.word(slot, &outputs));
        let condition = fields.get("where").and_then(|slot| self.condition(slot));
        let within = fields.get("within").and_then(|slot| self.duration(slot));
        let capture = fields.get("capture").and_then(|slot| self.assignments(slot));
        let capture = capture.unwrap_or_default();
        let stdout = stdout.unwrap_or_default();
        Some(Exec { command: command?, stdin, env, code, stdout, condition, within, capture })
    }
}
