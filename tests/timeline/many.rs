//! A page of 200,000 events is as handy as one of twenty.

use serde_json::json;

use crate::browser::Page;
use crate::runs::{Folder, made_up};

const EVENTS: u64 = 200_000;

#[test]
fn two_hundred_thousand_events_open_scroll_and_zoom() {
    let folder = Folder::new();
    let line = |level: u64| {
        let name = if level.is_multiple_of(7) { "branch_switch.v0" } else { "head_increment.v0" };
        let hash = format!("BL{level:049}");
        json!({ "name": name, "value": { "level": level, "hash": hash, "peers": [1, 2, 3] } })
            .to_string()
    };
    let mut page = Page::open(&folder.report(&made_up(folder.path(), (0..EVENTS).map(line))));
    assert_eq!(page.eval("timeline.app().play.count"), EVENTS);
    assert!(page.text(".meta").contains("200,000 events"));

    // Only what is in sight exists, wherever one scrolls to.
    page.until("document.querySelector('.events .rows').textContent.includes('\"level\":0,')");
    page.eval("document.querySelector('.events').scrollTop = 1e9");
    page.until(&format!(
        "document.querySelector('.events .rows').textContent.includes('\"level\":{},')",
        EVENTS - 1
    ));
    let rows = page.eval("document.querySelectorAll('.rows .row').length").as_u64();
    assert!(rows.is_some_and(|rows| rows < 100), "{rows:?}");

    // Zoomed in as far as it goes, each has its tick.
    let drawn = "document.querySelector('.canvases canvas').toDataURL()";
    let all = page.eval(drawn);
    page.eval(&format!("timeline.app().choose({{ kind: 'event', index: {} }}, true)", EVENTS / 2));
    for _ in 0..14 {
        page.eval("new Promise((resolve) => { timeline.app().zoom(0.5); requestAnimationFrame(() => requestAnimationFrame(resolve)); })");
    }
    assert_ne!(page.eval(drawn), all);
    let seen = page.eval("(() => { const { picture } = timeline.app(); const [first, end] = picture.visible(picture.laneOf(0)); return end - first; })()");
    assert!(seen.as_u64().is_some_and(|seen| (1..=200).contains(&seen)), "{seen}");

    page.fill("[name=where]", "level >= 199990");
    page.until("timeline.app().events.order.length === 10");
    assert_eq!(page.complaints(), Vec::<String>::new());
}
