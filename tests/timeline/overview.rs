//! `run --html`: all scenarios of a run in one page.

use serde_json::json;

use crate::browser::Page;
use crate::runs::Folder;

const TALKS: &str = "
name: one that <b>passes</b>
daemons:
  talker: { kind: process, command: [sh, -c, 'echo \"{\\\"name\\\":\\\"hello.v0\\\",\\\"value\\\":1}\"; exec sleep 100'], events_from: stdout,
            envelope: { name: name, value: value }, ready: { event: hello.v0 } }
steps: [ { start: talker } ]
";

#[test]
fn the_overview_leads_to_each_timeline_and_back() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path().join("scenarios")).expect("writable");
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join("scenarios").join(name), text).expect("writable");
    };
    write("a.yaml", TALKS);
    write("b.yaml", "name: bad luck\nsteps: [ { assert: 1 == 2 } ]\n");
    folder.tribunal(&["run", "--html", "run.html", "--retries", "1", "-j", "1"], 1);
    let mut page = Page::open(&folder.path().join("run.html"));

    let words = page.eval("[...document.querySelectorAll('.overview tbody tr')].map((row) => [row.cells[0].textContent, row.cells[1].textContent])");
    let expected = json!([
        ["passed", "one that <b>passes</b>"],
        ["failed", "bad luck, attempt 1"],
        ["failed", "bad luck, attempt 2"],
    ]);
    assert_eq!(words, expected);
    assert!(page.text(".overview .meta").contains("1 passed"), "{}", page.text(".overview .meta"));
    // What passed has a picture too, though its run directory is gone.
    page.click_on(".overview tbody tr a");
    page.until("document.querySelector('.play:not([hidden])[data-ready] .lane[data-lane=talker]')");
    assert_eq!(page.text(".play:not([hidden]) h1"), "one that <b>passes</b>");
    assert_eq!(page.eval("document.querySelector('.overview').hidden"), true);
    page.click_on(".play:not([hidden]) .back");
    page.until("!document.querySelector('.overview').hidden");
    page.click_on(".overview tbody tr:last-child a");
    page.until("document.querySelector('.play:not([hidden])[data-ready]')");
    assert_eq!(page.text(".play:not([hidden]) .outcome"), "failed");
    assert_eq!(page.complaints(), Vec::<String>::new());
}
