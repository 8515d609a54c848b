//! `HEALTHCHECK [flags] CMD COMMAND` and `HEALTHCHECK NONE`

use std::time::Duration;

use parser::ast::{CommandLine, Healthcheck};

use super::Lowering;
use crate::go_text;
use crate::lint::{malformed_json_form, multiple_instructions_disallowed};

impl Lowering<'_, '_> {
    /// The check of the base is replaced as a whole: what is not given is not inherited.
    pub(super) fn healthcheck(&mut self, instruction: &Healthcheck) {
        let earlier = self.last_healthcheck.replace(self.current.span);
        let linter = &mut self.planner.linter;
        multiple_instructions_disallowed::check(linter, &self.current.keyword, earlier);
        let mut times = [Duration::ZERO; 4];
        let mut check = image::Healthcheck::default();
        match instruction {
            Healthcheck::None => check.test = vec!["NONE".to_owned()],
            Healthcheck::Probe(given) => {
                malformed_json_form::check(linter, &self.current.keyword, &given.command, self.current.span);
                check.test = match &given.command {
                    CommandLine::Shell(text) => vec!["CMD-SHELL".to_owned(), text.clone()],
                    CommandLine::Exec(args) => {
                        std::iter::once("CMD".to_owned()).chain(args.iter().cloned()).collect()
                    }
                };
                times = [given.interval, given.timeout, given.start_period, given.start_interval];
                check.retries = given.retries.into();
            }
        }
        [check.interval, check.timeout, check.start_period, check.start_interval] = times.map(nanoseconds);
        let [interval, timeout, start_period, start_interval] = times.map(go_text::duration);
        self.state.record(format!(
            "HEALTHCHECK {{Test:{} Interval:{interval} Timeout:{timeout} StartPeriod:{start_period} \
             StartInterval:{start_interval} Retries:{}}}",
            go_text::list(&check.test),
            check.retries
        ));
        self.state.config.config.healthcheck = Some(check);
    }
}

fn nanoseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}
