//! Every RPC that daemons, clients and harnesses use, asked for real and compared with a table.

use serde_json::{Value, json};

use super::shape::{Shape, Types};
use crate::http::{Stream, request};
use crate::support::{Node, World};

struct Row<'a> {
    when: &'a str,
    method: &'a str,
    path: &'a str,
    status: u16,
    /// `None`: whatever it is, it is no JSON.
    answer: Option<Shape>,
    body: &'a str,
}

fn read(text: &str) -> (Types, Vec<Row<'_>>) {
    let (mut types, mut rows) = (Types::new(), Vec::new());
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [name, "=", shape] => {
                types.insert((*name).to_owned(), Shape::parse(shape));
            }
            [when, method, path, status, answer, body @ ..] => rows.push(Row {
                when,
                method,
                path,
                status: status.parse().unwrap(),
                answer: (*answer != "-").then(|| Shape::parse(answer)),
                body: body.first().unwrap_or(&""),
            }),
            _ => panic!("no row: {line}"),
        }
    }
    (types, rows)
}

impl Row<'_> {
    fn ask(&self, node: &Node<'_>, peer: &str) -> Option<Value> {
        let path = self.path.replace("{peer}", peer);
        match self.method {
            "stream" => Some(Stream::open(node.rpc, &path).next().unwrap()),
            "next" => {
                let mut stream = Stream::open(node.rpc, &path);
                node.bake("bootstrap2");
                Some(stream.next().unwrap())
            }
            method => {
                let (status, text) = request(node.rpc, method, &path, self.body);
                assert_eq!(status, self.status, "{method} {path} {}: {text}", self.body);
                serde_json::from_str(&text).ok()
            }
        }
    }

    fn check(&self, types: &Types, node: &Node<'_>, peer: &str) {
        let asked = format!("{} {} {}", self.method, self.path, self.body);
        match (self.ask(node, peer), &self.answer) {
            (Some(value), Some(shape)) => {
                if let Some(misfit) = shape.misfit(&value, types) {
                    panic!("{asked}: the answer{misfit}\n{value}");
                }
            }
            (None, None) => {}
            (value, wanted) => panic!("{asked}: {value:?}, but wanted {wanted:?}"),
        }
    }
}

#[test]
fn every_rpc_is_answered_in_the_shape_of_octez() {
    let (types, rows) = read(include_str!("rpcs.txt"));
    let world = World::new();
    let [node, other] = ["node", "other"].map(|name| world.node(name));
    let (_running, _other_running) = (node.run(), other.run());
    let peer = format!("127.0.0.1:{}", other.net);
    other.admin(&format!("trust address 127.0.0.1:{}", node.net));
    let (genesis, active): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.when == "genesis");
    for row in genesis {
        row.check(&types, &node, &peer);
    }
    node.activate();
    node.bake("bootstrap1");
    node.bake("bootstrap1");
    node.client("attest for bootstrap1");
    for row in active {
        row.check(&types, &node, &peer);
    }
}

#[test]
fn a_data_directory_holds_what_octez_puts_there() {
    let world = World::new();
    let node = world.node("node");
    let running = node.run();
    let entries = std::fs::read_dir(world.path("node")).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "config.json",
            "context",
            "daily_logs",
            "identity.json",
            "lock",
            "peers.json",
            "protocol",
            "store",
            "version.json",
        ]
    );
    let file = |name: &str| -> Value {
        serde_json::from_slice(&std::fs::read(world.path("node").join(name)).unwrap()).unwrap()
    };
    assert_eq!(file("version.json"), json!({ "version": "3.3" }));
    let identity =
        Shape::parse("{peer_id:peer,public_key:hex,secret_key:hex,proof_of_work_stamp:hex}");
    assert_eq!(identity.misfit(&file("identity.json"), &Types::new()), None);
    assert_eq!(running.terminate(), Some(127));
}
