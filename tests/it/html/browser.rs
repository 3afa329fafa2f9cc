//! A real Chromium without a window, told what to do over a pair of pipes with its DevTools protocol.
//!
//! It ends when its pipes are closed, so it does not outlive the tests, however those end.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The names it goes by.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];
/// The file with what it says beside its answers.
const WORDS: &str = "words.txt";
/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A browser with one page.
pub struct Browser {
    child: Child,
    to: RefCell<Option<ChildStdin>>,
    from: Receiver<Value>,
    events: RefCell<Vec<Value>>,
    number: RefCell<u64>,
    session: String,
    has_scripts: Cell<bool>,
    profile: TempDir,
}

impl Browser {
    pub fn start() -> Browser {
        let profile = TempDir::new().unwrap();
        // It takes descriptor 3 for its input and 4 for its output.
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null", "sh"])
            .arg(program())
            .args(["--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu"])
            .args(["--disable-dev-shm-usage", "--disable-quic", "--no-first-run", "--hide-scrollbars"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .arg("--disable-breakpad")
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(profile.path().join(WORDS)).unwrap())
            .spawn()
            .unwrap();
        let to = RefCell::new(child.stdin.take());
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let (sender, from) = channel();
        std::thread::spawn(move || {
            let mut message = Vec::new();
            while output.read_until(0, &mut message).is_ok_and(|length| length > 0) {
                message.pop();
                let Ok(value) = serde_json::from_slice(&message) else { return };
                if sender.send(value).is_err() {
                    return;
                }
                message.clear();
            }
        });
        let mut browser = Browser {
            child,
            to,
            from,
            events: RefCell::default(),
            number: RefCell::default(),
            session: String::new(),
            has_scripts: Cell::new(true),
            profile,
        };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let target = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", target);
        browser.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// Sends a command and waits for its answer.
    pub fn call(&self, method: &str, parameters: Value) -> Value {
        *self.number.borrow_mut() += 1;
        let number = *self.number.borrow();
        let mut command = json!({ "id": number, "method": method, "params": parameters });
        if !self.session.is_empty() {
            command["sessionId"] = json!(self.session);
        }
        let mut to = self.to.borrow_mut();
        let sent = to.as_mut().unwrap().write_all(format!("{command}\0").as_bytes());
        sent.unwrap_or_else(|error| panic!("the browser went away before {method}: {error}"));
        let answer = self.wait(method, |message| message["id"] == number);
        assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
        answer["result"].clone()
    }

    /// Waits for a message; the others are kept.
    fn wait(&self, what: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let message = self.from.recv_timeout(left);
            let message = message.unwrap_or_else(|error| {
                let words = std::fs::read_to_string(self.profile.path().join(WORDS)).unwrap_or_default();
                panic!("no answer of the browser to {what}: {error}; it said: {words}")
            });
            if is_wanted(&message) {
                return message;
            }
            self.events.borrow_mut().push(message);
        }
    }

    /// Pages have no scripts from now on.
    pub fn forbid_scripts(&self) {
        self.call("Emulation.setScriptExecutionDisabled", json!({ "value": true }));
        self.has_scripts.set(false);
    }

    /// Opens a file and waits until it is there.
    pub fn open(&self, file: &Path) {
        let file = format!("file://{}", file.display());
        self.call("Page.navigate", json!({ "url": file }));
        let is_loaded = |message: &Value| message["method"] == "Page.loadEventFired";
        if !self.events.borrow().iter().any(is_loaded) {
            let event = self.wait("opening the page", is_loaded);
            self.events.borrow_mut().push(event);
        }
    }

    /// The value of an expression in the page.
    pub fn value(&self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.call("Runtime.evaluate", asked);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {}", answer["exceptionDetails"]);
        answer["result"]["value"].clone()
    }

    /// Clicks the first element that fits, as a person does with a mouse.
    pub fn click(&self, selector: &str) {
        let place = self.value(&format!(
            "(() => {{
                const it = document.querySelector({selector:?});
                it.scrollIntoView({{ block: 'center' }});
                const box = it.getClientRects()[0];
                return [box.x + box.width / 2, box.y + box.height / 2];
            }})()"
        ));
        for kind in ["mousePressed", "mouseReleased"] {
            let event =
                json!({ "type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", event);
        }
        self.settle();
    }

    /// Writes into what has the focus.
    pub fn write(&self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
        self.settle();
    }

    /// Waits until the page has been drawn anew, and has heard of what happened before.
    fn settle(&self) {
        if !self.has_scripts.get() {
            return; // The answer to an event comes when it was handled, which is all that there is.
        }
        self.value(
            "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))",
        );
    }

    /// A screen of this size, and colours of this scheme.
    pub fn look(&self, width: u32, height: u32, scheme: &str) {
        let screen =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
        self.call("Emulation.setDeviceMetricsOverride", screen);
        let scheme = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call("Emulation.setEmulatedMedia", json!({ "features": scheme }));
        self.settle();
    }

    /// What was loaded so far, and everything that the page complained of.
    pub fn heard(&self) -> (Vec<String>, Vec<String>) {
        let mut loaded = Vec::new();
        let mut complaints = Vec::new();
        for event in self.events.borrow().iter() {
            let parameters = &event["params"];
            match event["method"].as_str().unwrap_or_default() {
                "Network.requestWillBeSent" => {
                    loaded.push(parameters["request"]["url"].as_str().unwrap().to_owned());
                }
                "Runtime.exceptionThrown" | "Runtime.consoleAPICalled" => {
                    complaints.push(parameters.to_string());
                }
                "Log.entryAdded" => complaints.push(parameters["entry"].to_string()),
                _ => {}
            }
        }
        (loaded, complaints)
    }

    /// The picture of the whole page, as PNG.
    pub fn picture(&self) -> Vec<u8> {
        let asked = json!({ "format": "png", "captureBeyondViewport": true });
        let answer = self.call("Page.captureScreenshot", asked);
        BASE64_STANDARD.decode(answer["data"].as_str().unwrap()).unwrap()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Without its pipe it ends by itself; it is not waited for without end.
        drop(self.to.borrow_mut().take());
        for _ in 0..500 {
            match self.child.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(10)),
                _ => return,
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = || std::env::split_paths(&path);
    let found = NAMES.iter().find_map(|name| places().map(|place| place.join(name)).find(|it| it.is_file()));
    found.expect("the tests of the page need Chromium on the PATH: run scripts/test, or install `chromium`")
}
