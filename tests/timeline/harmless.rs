//! Daemons say what they like.

use serde_json::json;

use crate::browser::Page;
use crate::runs::{Folder, made_up};

#[test]
fn what_a_daemon_says_is_shown_and_never_done() {
    let folder = Folder::new();
    let hostile = [
        "</script><script>globalThis.hit = 1</script>",
        "<img src=x onerror=\"globalThis.hit = 1\">",
        "'\"`&lt;${globalThis.hit = 1}",
        "line\u{2028}separator\u{2029}\u{202e}turned",
        "\u{1b}[31mred\u{0}\u{7}",
        "<!-- <script> ]]> \u{fffe}",
    ];
    let mut lines: Vec<String> = hostile
        .iter()
        .map(|text| {
            json!({ "name": format!("event {text}"), "value": { "text": text, "level": 1 } })
                .to_string()
        })
        .collect();
    lines.push(json!({ "name": "huge.v0", "value": "x".repeat(300_000) }).to_string());
    lines.push("</script><script>globalThis.hit = 1</script> is no JSON".to_owned());
    lines.push(
        "{\"name\":\"proto.v0\",\"value\":{\"__proto__\":{\"a\":1},\"constructor\":2}}".to_owned(),
    );
    let number = lines.len();
    let mut page = Page::open(&folder.report(&made_up(folder.path(), lines)));

    assert_eq!(page.eval("timeline.app().play.count"), number);
    for index in 0..number {
        page.eval(&format!("timeline.app().choose({{ kind: 'event', index: {index} }}, true)"));
        if let Some(text) = hostile.get(index) {
            assert_eq!(page.eval(&format!("timeline.app().play.value({index}).text")), *text);
        }
        let shown = page.text(".details");
        assert!(!shown.contains(['\u{0}', '\u{7}', '\u{1b}', '\u{2028}', '\u{202e}']), "{shown:?}");
    }
    assert!(page.text(".outcome").contains("cut short"), "there is no result");
    page.eval("timeline.app().choose({ kind: 'event', index: 0 }, true)");
    assert_eq!(page.text(".details h2"), format!("event {}", hostile[0]));
    page.eval("timeline.app().choose({ kind: 'event', index: 6 }, true)");
    assert!(page.text(".details dl").contains("too long for this page"));
    page.eval("timeline.app().choose({ kind: 'event', index: 7 }, true)");
    assert_eq!(page.text(".details h2"), "a line that is no event");
    // A payload that is cut cannot be judged, and that is said.
    page.fill("[name=where]", "level == 1");
    page.until("timeline.app().events.order.length === 6");
    assert!(page.text(".count").contains("1 are cut short"), "{}", page.text(".count"));
    assert_eq!(page.eval("globalThis.hit === undefined"), true);
    assert_eq!(page.eval("document.querySelectorAll('img').length"), 0);
    assert_eq!(page.complaints(), Vec::<String>::new());
}
