//! Progress for programs: one JSON object a line, in the form of BuildKit's `SolveStatus`.
//!
//! BuildKit names a vertex by its digest. Here the name is the digest of the step's number and
//! label: it means nothing outside the stream, and is the same in all lines about one step.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine::{Event, StepNumber, StepResult, Stream};
use image::Digest;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Renderer;

/// The renderer.
pub(crate) struct RawJson<W> {
    out: W,
    vertices: BTreeMap<StepNumber, Value>,
    clock: fn() -> Timestamp,
}

impl<W: Write> RawJson<W> {
    /// A renderer that writes to `out`.
    pub(crate) fn new(out: W) -> Self {
        Self { out, vertices: BTreeMap::new(), clock: Timestamp::now }
    }

    fn status(&mut self, event: &Event) -> Option<Value> {
        let now = (self.clock)().to_string();
        let digest = |step: &StepNumber| Some(self.vertices.get(step)?["digest"].clone());
        Some(match event {
            Event::Begun { step, label, .. } => {
                let digest = Digest::of(format!("{} {label}", step.0).as_bytes()).to_string();
                let vertex = json!({ "digest": digest, "name": label, "started": now });
                self.vertices.insert(*step, vertex.clone());
                json!({ "vertexes": [vertex] })
            }
            Event::Output { step, stream, data } => {
                let stream = if *stream == Stream::Stdout { 1 } else { 2 };
                let log = json!({
                    "vertex": digest(step)?, "stream": stream, "data": STANDARD.encode(&**data), "timestamp": now,
                });
                json!({ "logs": [log] })
            }
            Event::Transfer { step, name, current, total } => {
                let total = total.unwrap_or(0);
                let status = json!({
                    "id": name, "vertex": digest(step)?, "current": current, "total": total, "timestamp": now,
                });
                json!({ "statuses": [status] })
            }
            Event::Ended { step, result, .. } => {
                let mut vertex = self.vertices.get(step)?.clone();
                vertex["completed"] = json!(now);
                match result {
                    StepResult::Done => {}
                    StepResult::Cached => vertex["cached"] = json!(true),
                    StepResult::Failed(reason) => vertex["error"] = json!(reason),
                    StepResult::Canceled => vertex["error"] = json!("context canceled"),
                }
                json!({ "vertexes": [vertex] })
            }
            Event::Warning { step, message } => {
                let vertex = step.as_ref().and_then(digest);
                json!({ "warnings": [{ "vertex": vertex, "level": 1, "short": STANDARD.encode(message) }] })
            }
        })
    }
}

impl<W: Write + Send> Renderer for RawJson<W> {
    fn event(&mut self, event: &Event, _: Duration) -> io::Result<()> {
        match self.status(event) {
            Some(status) => writeln!(self.out, "{status}"),
            None => Ok(()),
        }
    }

    fn tick(&mut self, _: Duration) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self, _: Duration) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_status() {
        let step = StepNumber(1);
        let events = [
            Event::Begun { step, label: "[1/1] RUN make".into(), miss: None },
            Event::Output { step, stream: Stream::Stderr, data: b"hi\n".to_vec().into() },
            Event::Transfer { step, name: "sha256:01".into(), current: 1, total: Some(2) },
            Event::Ended {
                step,
                result: StepResult::Failed("exit code: 1".into()),
                duration: Duration::ZERO,
            },
            Event::Warning { step: None, message: "careful".into() },
            Event::Output { step: StepNumber(9), stream: Stream::Stdout, data: b"nobody".to_vec().into() },
        ];
        let mut out = Vec::new();
        let mut renderer = RawJson { clock: || Timestamp::UNIX_EPOCH, ..RawJson::new(&mut out) };
        for event in &events {
            renderer.event(event, Duration::ZERO).expect("memory can be written");
        }
        let digest = Digest::of(b"1 [1/1] RUN make").to_string();
        let text = String::from_utf8(out).expect("JSON is text").replace(&digest, "DIGEST");
        insta::assert_snapshot!(text.replace("1970-01-01T00:00:00Z", "NOW"), @r#"
        {"vertexes":[{"digest":"DIGEST","name":"[1/1] RUN make","started":"NOW"}]}
        {"logs":[{"data":"aGkK","stream":2,"timestamp":"NOW","vertex":"DIGEST"}]}
        {"statuses":[{"current":1,"id":"sha256:01","timestamp":"NOW","total":2,"vertex":"DIGEST"}]}
        {"vertexes":[{"completed":"NOW","digest":"DIGEST","error":"exit code: 1","name":"[1/1] RUN make","started":"NOW"}]}
        {"warnings":[{"level":1,"short":"Y2FyZWZ1bA==","vertex":null}]}
        "#);
    }
}
