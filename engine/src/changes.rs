//! `--change`: instructions of a Dockerfile that only touch the config of an image.

use graph::{FileOp, Op, Pins, Source};
use image::{ContainerConfig, Platform};
use parser::Severity;
use planner::{PlanOptions, Planned};

/// A change that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// It is no instruction, or a wrong one.
    #[error("invalid change {change:?}: {message}")]
    Invalid {
        /// The text.
        change: String,
        /// What is wrong.
        message: String,
    },
    /// It is an instruction that does more than touch the config.
    #[error("invalid change {0:?}: an instruction that adds files or runs something cannot be a change")]
    AddsFiles(String),
}

/// The config after the changes, made in order. They mean just what they mean in a Dockerfile after
/// `FROM scratch`, because that is what is planned.
pub(crate) fn apply(changes: &[String], platform: &Platform) -> Result<ContainerConfig, ChangeError> {
    let mut text = "FROM scratch\n".to_owned();
    let unchanged = plan(&text, "", platform)?;
    let mut config = unchanged.clone();
    for change in changes {
        text.push_str(change);
        text.push('\n');
        config = plan(&text, change, platform)?;
    }
    // What a Dockerfile gives to every image, asked or not, is no change.
    config.env.retain(|variable| !unchanged.env.contains(variable));
    if config.working_dir == unchanged.working_dir {
        config.working_dir.clear();
    }
    Ok(config)
}

fn plan(text: &str, change: &str, platform: &Platform) -> Result<ContainerConfig, ChangeError> {
    let invalid = |message: String| ChangeError::Invalid { change: change.to_owned(), message };
    let parsed = parser::parse(text);
    if let Some(error) = parsed.diagnostics.iter().find(|diagnostic| diagnostic.severity == Severity::Error) {
        return Err(invalid(error.message.clone()));
    }
    let mut options = PlanOptions::new(Platform::host());
    options.target_platforms = vec![platform.clone()];
    let plan = match planner::plan(&parsed.dockerfile, &options, &Pins::default()) {
        Ok(Planned::Ready(plan)) => plan,
        Ok(Planned::Needs(_)) => return Err(ChangeError::AddsFiles(change.to_owned())),
        Err(error) => return Err(invalid(error.to_string())),
    };
    let only_config = |op: &Op| {
        matches!(op, Op::Source(Source::Scratch | Source::Local(_)) | Op::File(FileOp::MakeDirectory(_)))
    };
    match plan.targets.first() {
        Some(target) if plan.graph.vertices().all(|(_, vertex)| only_config(&vertex.op)) => {
            Ok(target.config.config.clone())
        }
        _ => Err(ChangeError::AddsFiles(change.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use image::Platform;

    use super::{ChangeError, apply};

    fn changed(changes: &[&str]) -> Result<image::ContainerConfig, ChangeError> {
        let changes: Vec<String> = changes.iter().map(|change| (*change).to_owned()).collect();
        apply(&changes, &Platform::host())
    }

    #[test]
    fn changes_mean_what_they_mean_in_a_dockerfile() {
        let config = changed(&[
            "CMD [\"sh\", \"-l\"]",
            "ENV A=1 B=$A",
            "ENV C=$A",
            "USER app",
            "WORKDIR /w",
            "EXPOSE 80",
        ])
        .unwrap();
        assert_eq!(config.cmd, Some(vec!["sh".to_owned(), "-l".to_owned()]));
        assert_eq!(config.variable("C"), Some("1"));
        assert_eq!((config.user.as_str(), config.working_dir.as_str()), ("app", "/w"));
        assert!(config.exposed_ports.contains("80/tcp"));
    }

    #[test]
    fn without_changes_there_is_no_config() {
        assert_eq!(changed(&[]).unwrap(), image::ContainerConfig::default());
    }

    #[test]
    fn what_is_no_change_is_refused() {
        assert!(matches!(changed(&["CMDD x"]), Err(ChangeError::Invalid { .. })));
        for change in ["RUN true", "COPY a /a", "FROM busybox"] {
            assert_eq!(changed(&["ENV A=1", change]).unwrap_err(), ChangeError::AddsFiles(change.to_owned()));
        }
    }
}
