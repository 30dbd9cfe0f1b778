//! The page of a real run that failed.

use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::browser::Page;
use crate::runs::{FAILED, Folder};

/// The page of [`FAILED`], played once for all tests of this file.
fn failed() -> Page {
    static PAGE: OnceLock<String> = OnceLock::new();
    let html = PAGE.get_or_init(|| {
        let folder = Folder::new();
        let run_dir = folder.play(FAILED, 1);
        std::fs::read_to_string(run_dir.join("timeline.html"))
            .expect("it is kept with its timeline")
    });
    let folder = Folder::new();
    let file = folder.path().join("timeline.html");
    std::fs::write(&file, html).expect("writable");
    Page::open(&file)
}

fn view(page: &mut Page) -> (f64, f64) {
    let view = page.eval("[timeline.app().state.from, timeline.app().state.to]");
    (view[0].as_f64().expect("a time"), view[1].as_f64().expect("a time"))
}

/// The sequence number of the first event of that name.
fn seq_of(page: &mut Page, name: &str) -> u64 {
    let found = page.eval(&format!(
        "(() => {{ const {{ play }} = timeline.app(); for (let e = 0; e < play.count; e++) if (play.name(e) === {name:?}) return play.seq[e]; }})()"
    ));
    found.as_u64().unwrap_or_else(|| panic!("no {name} in this run"))
}

#[test]
fn it_shows_all_lanes_and_what_failed_and_asks_nobody_for_anything() {
    let mut page = failed();
    let lanes =
        page.eval("[...document.querySelectorAll('.lane')].map((lane) => lane.dataset.lane)");
    let expected =
        ["steps", "steps[3].parallel[0]", "steps[3].parallel[1]", "finally", "node", "accuser"];
    assert_eq!(lanes, json!(expected));
    assert_eq!(page.text("h1"), "the head reaches level 10");
    assert_eq!(page.text(".outcome"), "failed");
    assert!(page.text(".meta").contains("seed 42"), "{}", page.text(".meta"));
    assert!(
        page.text(".failure").contains("level >= 10: 5 >= 10 is false"),
        "{}",
        page.text(".failure")
    );
    // What failed is selected from the start, in the picture, the table and the details.
    assert!(page.text(".details h2").starts_with("expect: "));
    assert!(page.text(".steps [aria-selected=true]").contains("level >= 10"));
    assert!(page.text(".details").contains("node from seq"), "the wait and its cursor");
    let lives = page.eval(
        "timeline.app().play.daemons.map((daemon) => daemon.lives.map((life) => life.cause))",
    );
    assert_eq!(lives, json!([["terminate"], ["crash", "terminate"]]));
    assert_eq!(
        page.eval("timeline.app().play.faults.map((fault) => [fault.kind, fault.hit])"),
        json!([["crash", true]])
    );
    let waits =
        page.eval("timeline.app().play.waits.map((wait) => [wait.event, wait.matched !== null])");
    assert_eq!(waits, json!([["accuser_processed_block.v0", true], ["head_increment.v0", false]]));
    assert_eq!(page.complaints(), Vec::<String>::new());
}

#[test]
fn a_click_selects_in_picture_table_and_details_alike() {
    let mut page = failed();
    // The one of the node's events that is farthest from its neighbours.
    let lonely = page.eval(
        "(() => { const { play } = timeline.app(), lane = play.lanes[0]; \
         const gap = (at) => Math.min(...[at - 1, at + 1].map((other) => Math.abs(play.time[lane[other]] - play.time[lane[at]]))); \
         const all = [...lane.keys()].slice(1, -1).filter((at) => !play.is(lane[at], 1)).sort((a, b) => gap(b) - gap(a)); \
         return [play.seq[lane[all[0]]], play.name(lane[all[0]])]; })()",
    );
    let (seq, name) = (&lonely[0], lonely[1].as_str().expect("it has a name"));
    let place = page.eval(&format!("timeline.placeOf({seq})"));
    page.click(place["x"].as_f64().expect("x"), place["y"].as_f64().expect("y"));
    assert_eq!(page.text(".details h2"), name);
    assert!(
        page.text(".details dl").contains(&format!("seq{seq}")),
        "{}",
        page.text(".details dl")
    );
    let shown: Value =
        serde_json::from_str(&page.text(".details pre")).expect("the payload is JSON");
    let payload = page.eval("timeline.app().play.value(timeline.app().state.chosen.index)");
    assert_eq!(shown, payload);
    assert!(page.text(".events [aria-selected=true]").contains(name));

    // And the other way round.
    page.eval("document.querySelector('.events').scrollTop = 0");
    page.until("document.querySelector(\".events .rows .row[data-index='1']\")");
    page.click_on(".events .rows .row[data-index='1']");
    let chosen = page.eval("timeline.app().state.chosen");
    assert_eq!(chosen, json!({ "kind": "event", "index": 1 }));
    page.click_on("[data-tab=steps]");
    page.click_on(".steps .rows .row[data-index='0']");
    assert!(page.text(".details h2").starts_with("start: node"));
    // The nearest misses of the failure lead to their events.
    page.click_on(".failure [data-seq]");
    assert_eq!(page.text(".details h2"), "head_increment.v0");
    assert_eq!(page.complaints(), Vec::<String>::new());
}

#[test]
fn hovering_tells_what_stands_there() {
    let mut page = failed();
    let seq = seq_of(&mut page, "head_increment.v0");
    let place = page.eval(&format!("timeline.placeOf({seq})"));
    page.call(
        "Input.dispatchMouseEvent",
        json!({ "type": "mouseMoved", "x": place["x"], "y": place["y"] }),
    );
    page.until("!document.querySelector('.tip').hidden");
    assert!(page.text(".tip").contains("node, incarnation 1"), "{}", page.text(".tip"));
}

#[test]
fn filters_narrow_by_name_by_predicate_and_by_daemon() {
    let mut page = failed();
    let shown = "timeline.app().events.order.map((e) => timeline.app().play.name(e))";
    let all = page.eval(&format!("{shown}.length"));
    page.fill("[name=name]", "HEAD_inc");
    page.until(&format!("{shown}.length < {all}"));
    assert_eq!(page.eval(&format!("[...new Set({shown})]")), json!(["head_increment.v0"]));
    page.fill("[name=where]", "level >= 4 && view.hash.startsWith(\"B\")");
    page.until("timeline.app().events.order.length === 2");
    assert!(page.text(".count").starts_with("2 of "), "{}", page.text(".count"));
    assert_eq!(page.eval("document.querySelectorAll('.events .rows .row').length"), 2);

    page.fill("[name=where]", "level >= && 4");
    page.until("document.querySelector('.error').textContent !== ''");
    assert_eq!(page.text(".error"), "level >= && 4\n         ^ a value is expected here");
    page.fill("[name=where]", "");
    page.fill("[name=name]", "tribunal.*");
    page.until(&format!("{shown}.every((name) => name.startsWith('tribunal.')) && document.querySelector('.error').textContent === ''"));
    let of_both = page.eval(&format!("{shown}.length")).as_u64();
    page.click_on("[data-lane=accuser]");
    page.until(&format!("{shown}.length < {}", of_both.expect("a number")));
    assert_eq!(
        page.eval("document.querySelector('[data-lane=accuser]').getAttribute('aria-pressed')"),
        "false"
    );
    page.fill("[name=name]", "no such name");
    page.until("timeline.app().events.order.length === 0");
    assert_eq!(page.text(".events .empty"), "No event is as wanted.");
    assert_eq!(page.complaints(), Vec::<String>::new());
}

#[test]
fn keys_zoom_pan_and_walk() {
    let mut page = failed();
    let (from, to) = view(&mut page);
    page.key("Escape");
    assert_eq!(page.eval("timeline.app().state.chosen"), Value::Null);
    page.key("+");
    page.key("+");
    let (near_from, near_to) = view(&mut page);
    assert!((near_to - near_from) * 3.9 < to - from, "{near_from} {near_to}");
    page.key("ArrowRight");
    assert!(view(&mut page).0 > near_from);
    page.key("-");
    page.key("0");
    assert_eq!(view(&mut page), (from, to));
    page.key("n");
    page.key("n");
    let second = page.eval("timeline.app().state.chosen.index");
    page.key("p");
    assert_eq!(
        page.eval("timeline.app().state.chosen.index").as_u64(),
        second.as_u64().map(|at| at - 1)
    );
    page.key("f");
    assert_eq!(page.eval("timeline.app().state.chosen.kind"), "step");
    // In a field, letters are letters.
    page.key("/");
    page.key("n");
    assert_eq!(page.eval("document.querySelector('[name=name]').value"), "n");
    assert_eq!(page.complaints(), Vec::<String>::new());
}

#[test]
fn dark_light_and_paper_differ() {
    let mut page = failed();
    let colour = "getComputedStyle(document.documentElement).backgroundColor";
    // The picture is drawn again some time after its colours have changed.
    let picture = "document.querySelector('.canvases canvas').toDataURL()";
    let redrawn = format!("{picture} !== globalThis.before");
    page.emulate("screen", "light");
    page.until("matchMedia('(prefers-color-scheme: light)').matches");
    let light = page.eval(colour);
    page.eval(&format!("globalThis.before = {picture}"));
    page.emulate("screen", "dark");
    page.until(&redrawn);
    assert_ne!(page.eval(colour), light);
    page.eval(&format!("globalThis.before = {picture}"));
    // Paper is light, whatever the screen is.
    page.emulate("print", "dark");
    page.until(&redrawn);
    assert_eq!(page.eval("getComputedStyle(document.querySelector('.tools')).display"), "none");
    let rows = "document.querySelectorAll('.steps .rows .row').length === timeline.app().play.steps.length";
    page.until(rows);
    page.emulate("", "light");
    let pdf = page.call("Page.printToPDF", json!({ "preferCSSPageSize": true }));
    assert!(
        pdf["data"].as_str().is_some_and(|data| data.starts_with("JVBER")),
        "it can be printed"
    );
    assert_eq!(page.complaints(), Vec::<String>::new());
}
