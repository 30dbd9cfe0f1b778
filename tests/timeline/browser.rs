//! A browser of a test's own, spoken to by the Chrome DevTools Protocol over a pair of FIFOs.
//!
//! Messages are JSON, each ended by a zero byte (`--remote-debugging-pipe`: file descriptors 3 and 4).

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};
use serde_json::{Value, json};

/// How long anything here may take on a busy machine.
const TIMEOUT: Duration = Duration::from_mins(1);

const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];

/// One page in a browser of its own; both end when it is dropped.
pub struct Page {
    browser: Child,
    to: File,
    from: Receiver<Value>,
    /// Events that came while an answer was waited for.
    events: VecDeque<Value>,
    next_id: u64,
    session: Option<String>,
    _folder: tempfile::TempDir,
}

fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = NAMES.iter().find_map(|name| {
        std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
    });
    found.unwrap_or_else(|| {
        panic!("no browser: the timeline is tested in Chromium; install it with `apt-get install chromium` ({NAMES:?} on the PATH)")
    })
}

impl Page {
    /// Opens a file and waits until its picture is drawn, or its overview is there.
    pub fn open(file: &Path) -> Self {
        let mut page = Self::start();
        let created = page.call("Target.createTarget", json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": created["targetId"], "flatten": true });
        let attached = page.call("Target.attachToTarget", attach);
        page.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            page.call(&format!("{domain}.enable"), json!({}));
        }
        page.size(1400, 1600);
        let url = format!("file://{}", file.display());
        page.call("Page.navigate", json!({ "url": url }));
        page.until("document.readyState === 'complete' && !document.querySelector('.play:not([hidden]):not([data-ready])')");
        page
    }

    fn start() -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        let [to, from] = ["to", "from"].map(|name| folder.path().join(name));
        for fifo in [&to, &from] {
            mkfifo(fifo, Mode::S_IRUSR | Mode::S_IWUSR).expect("a FIFO can be made");
        }
        let options = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
                       --disable-component-update --disable-sync --disable-dev-shm-usage --remote-debugging-pipe";
        let script = format!(r#"exec "$0" {options} --user-data-dir="$1" 3<"$2" 4>"$3""#);
        let browser = Command::new("sh")
            .args(["-c", &script])
            .args([program(), folder.path().join("profile"), to.clone(), from.clone()])
            .env("HOME", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("sh can be started");
        // In the order in which the shell opens them.
        let to = OpenOptions::new().write(true).open(to).expect("the shell reads");
        let from = File::open(from).expect("the browser writes");
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            for message in BufReader::new(from).split(0).map_while(Result::ok) {
                let message = serde_json::from_slice(&message).expect("the browser speaks JSON");
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        Self {
            browser,
            to,
            from: receiver,
            events: VecDeque::new(),
            next_id: 1,
            session: None,
            _folder: folder,
        }
    }

    fn receive(&self, what: &str) -> Value {
        self.from
            .recv_timeout(TIMEOUT)
            .unwrap_or_else(|error| panic!("no answer of the browser to {what}: {error}"))
    }

    /// Asks the browser for something and gives its answer.
    pub fn call(&mut self, method: &str, parameters: Value) -> Value {
        let id = self.next_id;
        self.next_id += 1;
        let mut message = json!({ "id": id, "method": method, "params": &parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.to.write_all(&bytes).expect("the browser lives");
        loop {
            let mut answer = self.receive(&format!("{method} {parameters}"));
            if answer["id"] != id {
                self.events.push_back(answer);
                continue;
            }
            assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
            return answer["result"].take();
        }
    }

    /// The value of an expression, awaited if it is a promise.
    #[track_caller]
    pub fn eval(&mut self, expression: &str) -> Value {
        let parameters =
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let mut answer = self.call("Runtime.evaluate", parameters);
        assert!(
            answer["exceptionDetails"].is_null(),
            "{expression}: {:#}",
            answer["exceptionDetails"]
        );
        answer["result"]["value"].take()
    }

    #[track_caller]
    pub fn text(&mut self, selector: &str) -> String {
        let value = self.eval(&format!("document.querySelector({selector:?}).textContent"));
        value.as_str().unwrap_or_else(|| panic!("{selector} has no text")).to_owned()
    }

    /// Waits until it holds in the page.
    #[track_caller]
    pub fn until(&mut self, condition: &str) {
        let expression = format!(
            "new Promise((resolve) => {{ const look = () => {{ if ({condition}) resolve(true); else setTimeout(look, 10); }}; look(); }})"
        );
        assert_eq!(self.eval(&expression), true, "{condition}");
    }

    pub fn size(&mut self, width: u32, height: u32) {
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size);
    }

    /// `screen` or `print`, `light` or `dark`.
    pub fn emulate(&mut self, medium: &str, scheme: &str) {
        let scheme = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call("Emulation.setEmulatedMedia", json!({ "media": medium, "features": scheme }));
    }

    pub fn click(&mut self, x: f64, y: f64) {
        for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
            let click = json!({ "type": kind, "x": x, "y": y, "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", click);
        }
    }

    pub fn click_on(&mut self, selector: &str) {
        let middle = format!(
            "(() => {{ const e = document.querySelector({selector:?}); e.scrollIntoView({{ block: 'center' }}); \
             const b = e.getBoundingClientRect(); return [b.left + b.width / 2, b.top + b.height / 2]; }})()"
        );
        let middle = self.eval(&middle);
        let at = |index: usize| middle[index].as_f64().expect("it is shown");
        self.click(at(0), at(1));
    }

    pub fn key(&mut self, key: &str) {
        let text = if key.chars().count() == 1 { key } else { "" };
        for kind in ["keyDown", "keyUp"] {
            let press = json!({ "type": kind, "key": key, "text": if kind == "keyDown" { text } else { "" } });
            self.call("Input.dispatchKeyEvent", press);
        }
    }

    /// Replaces what stands in a field.
    pub fn fill(&mut self, selector: &str, text: &str) {
        self.eval(&format!(
            "(() => {{ const field = document.querySelector({selector:?}); field.value = {}; \
             field.dispatchEvent(new Event('input', {{ bubbles: true }})); }})()",
            Value::from(text)
        ));
    }

    /// What was written to the console, thrown, or asked of a network since the page was opened.
    pub fn complaints(&mut self) -> Vec<String> {
        // What is on its way arrives before this answer.
        self.eval("new Promise((resolve) => requestAnimationFrame(() => resolve(true)))");
        let told = self.events.iter().filter_map(|event| {
            let parameters = &event["params"];
            match event["method"].as_str()? {
                "Runtime.consoleAPICalled" | "Runtime.exceptionThrown" | "Log.entryAdded" => {
                    Some(parameters.to_string())
                }
                "Network.requestWillBeSent" => {
                    let url = parameters["request"]["url"].as_str()?;
                    (!url.starts_with("file://") || parameters["type"] != "Document")
                        .then(|| format!("asks for {url}"))
                }
                "Page.javascriptDialogOpening" => Some("a dialog".to_owned()),
                _ => None,
            }
        });
        told.collect()
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // It may be gone already; the number is ours until it is waited for.
        let group = i32::try_from(self.browser.id()).map(Pid::from_raw);
        if let Ok(group) = group {
            let _ = killpg(group, Signal::SIGKILL);
        }
        let _ = self.browser.wait();
    }
}
