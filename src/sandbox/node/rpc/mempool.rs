//! The content of the mempool.

use serde_json::{Map, Value};

use super::answer::Answer;
use super::server::{Call, Services};
use crate::sandbox::node::mempool::Class;

/// `GET /chains/main/mempool/pending_operations`, version 2: operations by class, `?validated=false` and the like leave
/// one out.
pub fn pending(services: &Services, call: &Call) -> Answer {
    if call.query("version").is_some_and(|version| version != "2") {
        return Answer::bad_query("version: the supported version is 2");
    }
    services.shell.with(|state| {
        let mut answer = Map::new();
        for class in Class::ALL {
            let shown = call.flag(class.word(), true);
            let operations = state.mempool.of_class(class).filter(|_| shown);
            let list: Value = operations.map(|pending| pending.to_json(None)).collect();
            answer.insert(class.word().to_owned(), list);
        }
        answer.insert("unprocessed".to_owned(), Value::Array(Vec::new()));
        Answer::Json(answer.into())
    })
}
