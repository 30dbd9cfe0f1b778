//! `Predicate::test` does not allocate. Alone in its file, because the counting allocator counts for the whole process.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;

use serde_json::json;
use tribunal::predicate::{EventMeta, Predicate, Subject, Truth};

thread_local! {
    /// By thread, since the test harness has threads of its own.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

#[derive(Debug)]
struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

fn count() {
    // While a thread ends, its counter may be gone before its last allocation.
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
}

#[expect(
    unsafe_code,
    reason = "an allocator is unsafe to write; this one only counts and passes on"
)]
// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[test]
fn a_test_does_not_allocate() {
    let payload = json!({
        "level": 12,
        "count": "9007199254740993",
        "ratio": 0.5,
        "hash": "BLockHash",
        "ok": true,
        "nothing": null,
        "operation": {"contents": [{"kind": "double_baking_evidence", "fee": 3}, {"kind": "x"}]},
        "list": [1, 2, 3],
        "fd-sink-item.v0": {"a": 1}
    });
    let variables = BTreeMap::from([
        ("tip".to_owned(), json!("BLockHash")),
        ("ops".to_owned(), json!([{"n": 1}])),
    ]);
    let section = ["node".to_owned(), "validator".to_owned()];
    let event = Some(EventMeta {
        name: "head_increment.v0",
        daemon: "node",
        time: Some(1.0),
        section: &section,
        seq: 1,
        incarnation: 1,
    });
    let subject = Subject { payload: &payload, event };
    for (source, expected) in [
        ("level >= 10", Truth::True),
        ("level >= 10 && hash.startsWith(\"BL\") && ok", Truth::True),
        ("level > 20 || ratio < 1 || missing == 1", Truth::True),
        ("!(level == 12.0)", Truth::False),
        ("(level + 1) * 2 - 6 / 3 == 24", Truth::True),
        ("int(count) == 9007199254740993 && double(count) > 1", Truth::True),
        ("hash == $tip && $ops[0].n == 1", Truth::True),
        ("operation.contents[0].kind == 'double_baking_evidence'", Truth::True),
        ("operation.contents.exists(c, c.kind.contains('baking'))", Truth::True),
        ("list.all(x, list.exists(y, y >= x))", Truth::True),
        ("level in [10, 11, 12] && level in [level, 1]", Truth::True),
        ("list == [1, 2, 3] && 2 in list && 'ok' in self", Truth::True),
        ("self == self", Truth::True),
        ("has(operation.contents) && !has(missing)", Truth::True),
        ("self['fd-sink-item.v0'].a == 1 && size(hash) == 9", Truth::True),
        ("ok ? event.name.endsWith('.v0') : false", Truth::True),
        ("event.section.exists(s, s == 'validator') && event.seq == 1", Truth::True),
        ("hash.matches('^BL[a-z]+')", Truth::True),
        ("missing == 1", Truth::Unknown),
        ("hash > 1", Truth::Unknown),
        ("$missing == 1 || operation.contents[7] == 1", Truth::Unknown),
        ("operation.contents.all(c, c.fee > 1)", Truth::Unknown),
    ] {
        let predicate = Predicate::parse(source).unwrap_or_else(|e| panic!("{source}: {e}"));
        // A regular expression makes its scratch space when it is first used.
        assert_eq!(predicate.test(&subject, &variables), expected, "{source}");
        let before = ALLOCATIONS.get();
        for _ in 0..10 {
            predicate.test(&subject, &variables);
        }
        let allocations = ALLOCATIONS.get() - before;
        assert_eq!(allocations, 0, "{source}");
    }
    let building = Predicate::parse("list.map(x, x)[0] == 1").expect("it parses");
    let before = ALLOCATIONS.get();
    building.test(&subject, &variables);
    assert!(ALLOCATIONS.get() > before, "the counter counts");
}
